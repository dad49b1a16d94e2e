# The set-up of the chain, as far as the provider has resources for it: directory, identity center, role, bucket and access grants.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.100.0" }
  }
}

variable "endpoint" { type = string }

variable "control" { type = string }

variable "issuer" { type = string }

provider "aws" {
  region                  = "us-east-1"
  skip_metadata_api_check = true
  skip_region_validation  = true
  s3_use_path_style       = true
  endpoints {
    ssoadmin      = var.endpoint
    identitystore = var.endpoint
    iam           = var.endpoint
    sts           = var.endpoint
    s3            = var.endpoint
    cloudtrail    = var.endpoint
    s3control     = var.control
  }
}

data "aws_ssoadmin_instances" "this" {}

locals {
  instance = one(data.aws_ssoadmin_instances.this.arns)
  store    = one(data.aws_ssoadmin_instances.this.identity_store_ids)
}

resource "aws_identitystore_user" "mateo" {
  identity_store_id = local.store
  user_name         = "mateo@example.com"
  display_name      = "Mateo Jackson"
  name {
    given_name  = "Mateo"
    family_name = "Jackson"
  }
  emails {
    value   = "mateo@example.com"
    primary = true
  }
}

resource "aws_identitystore_group" "red" {
  identity_store_id = local.store
  display_name      = "Red Project Group"
  description       = "Reads red things"
}

resource "aws_identitystore_group_membership" "mateo" {
  identity_store_id = local.store
  group_id          = aws_identitystore_group.red.group_id
  member_id         = aws_identitystore_user.mateo.user_id
}

resource "aws_ssoadmin_trusted_token_issuer" "provider" {
  name                      = "Provider"
  instance_arn              = local.instance
  trusted_token_issuer_type = "OIDC_JWT"
  trusted_token_issuer_configuration {
    oidc_jwt_configuration {
      claim_attribute_path          = "email"
      identity_store_attribute_path = "emails.value"
      issuer_url                    = var.issuer
      jwks_retrieval_option         = "OPEN_ID_DISCOVERY"
    }
  }
  tags = { team = "lake" }
}

resource "aws_ssoadmin_application" "app" {
  name                     = "MyDataApplication"
  application_provider_arn = "arn:aws:sso::aws:applicationProvider/custom"
  instance_arn             = local.instance
  portal_options {
    visibility = "ENABLED"
    sign_in_options {
      origin = "IDENTITY_CENTER"
    }
  }
  tags = { team = "lake" }
}

resource "aws_ssoadmin_application_assignment_configuration" "app" {
  application_arn     = aws_ssoadmin_application.app.application_arn
  assignment_required = true
}

resource "aws_ssoadmin_application_assignment" "red" {
  application_arn = aws_ssoadmin_application.app.application_arn
  principal_id    = aws_identitystore_group.red.group_id
  principal_type  = "GROUP"
}

resource "aws_ssoadmin_application_access_scope" "app" {
  application_arn = aws_ssoadmin_application.app.application_arn
  scope           = "s3:access_grants:read_write"
}

resource "aws_s3_bucket" "lake" {
  bucket = "lake"
}

resource "aws_iam_role" "location" {
  name = "LocationRole"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "access-grants.s3.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:SetSourceIdentity"]
    }]
  })
  tags = { team = "lake" }
}

resource "aws_iam_role_policy" "location" {
  name = "objects"
  role = aws_iam_role.location.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:*", Resource = ["${aws_s3_bucket.lake.arn}", "${aws_s3_bucket.lake.arn}/*"] }]
  })
}

resource "aws_s3control_access_grants_instance" "this" {
  identity_center_arn = local.instance
  tags                = { team = "lake" }
}

resource "aws_s3control_access_grants_location" "lake" {
  depends_on     = [aws_s3control_access_grants_instance.this, aws_iam_role_policy.location]
  iam_role_arn   = aws_iam_role.location.arn
  location_scope = "s3://${aws_s3_bucket.lake.bucket}"
}

resource "aws_s3control_access_grant" "red" {
  access_grants_location_id = aws_s3control_access_grants_location.lake.access_grants_location_id
  permission                = "READ"
  access_grants_location_configuration {
    s3_sub_prefix = "red/*"
  }
  grantee {
    grantee_type       = "DIRECTORY_GROUP"
    grantee_identifier = aws_identitystore_group.red.group_id
  }
}

# Grants with terms: one that ends, a folder for each member, and what is denied below it.
resource "aws_s3control_access_grant" "homes" {
  access_grants_location_id = aws_s3control_access_grants_location.lake.access_grants_location_id
  permission                = "READWRITE"
  access_grants_location_configuration {
    s3_sub_prefix = "home/$${user.name}/*"
  }
  grantee {
    grantee_type       = "DIRECTORY_GROUP"
    grantee_identifier = aws_identitystore_group.red.group_id
  }
  tags = {
    "lakegate:NotAfter" = "2099-12-31T23:59:59Z"
    "lakegate:Reason"   = "a home for everybody"
    "lakegate:Owner"    = "group/${aws_identitystore_group.red.group_id}"
    "lakegate:Actions"  = "s3:GetObject s3:ListBucket s3:PutObject"
    team                = "lake"
  }
}

resource "aws_s3control_access_grant" "denied" {
  access_grants_location_id = aws_s3control_access_grants_location.lake.access_grants_location_id
  permission                = "READ"
  access_grants_location_configuration {
    s3_sub_prefix = "red/secret/*"
  }
  grantee {
    grantee_type       = "DIRECTORY_GROUP"
    grantee_identifier = aws_identitystore_group.red.group_id
  }
  tags = { "lakegate:Effect" = "Deny" }
}
