"""KMS keys and S3 buckets."""

from __future__ import annotations

from infra.local.assembly import Resource
from infra.local.deploy import Created, Creator, Deployment


def key(deployment: Deployment, resource: Resource) -> Created:
    """Create a KMS key; its policy stays away: it names roles that need the key."""
    description = deployment.properties(resource, "Description").get("Description", "")
    made = deployment.client("kms").create_key(Description=description)["KeyMetadata"]
    return Created(made["KeyId"], {"Arn": made["Arn"], "KeyId": made["KeyId"]})


def alias(deployment: Deployment, resource: Resource) -> Created:
    """Create a KMS alias."""
    properties = deployment.properties(resource)
    name = properties["AliasName"]
    deployment.client("kms").create_alias(AliasName=name, TargetKeyId=properties["TargetKeyId"])
    return Created(name)


def bucket(deployment: Deployment, resource: Resource) -> Created:
    """Create an S3 bucket, versioned and encrypted as the template says."""
    properties = deployment.properties(resource, "BucketName", "BucketEncryption", "VersioningConfiguration")
    name = properties.get("BucketName", deployment.name(resource, limit=63).lower())
    s3 = deployment.client("s3")
    s3.create_bucket(Bucket=name)
    if versioning := properties.get("VersioningConfiguration"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=versioning)
    if encryption := properties.get("BucketEncryption"):
        rules = [
            {
                "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
                "BucketKeyEnabled": rule.get("BucketKeyEnabled", False),
            }
            for rule in encryption["ServerSideEncryptionConfiguration"]
        ]
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    region = deployment.assembly.stack(resource.stack).region
    return Created(
        name,
        {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        },
    )


CREATORS: dict[str, Creator] = {
    "AWS::KMS::Alias": alias,
    "AWS::KMS::Key": key,
    "AWS::S3::Bucket": bucket,
}
