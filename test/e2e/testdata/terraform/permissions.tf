# What people get in accounts: permission sets with every kind of policy, and who has them.
data "aws_caller_identity" "current" {}

resource "aws_iam_policy" "lake" {
  name = "LakeReader"
  path = "/lake/"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "${aws_s3_bucket.lake.arn}/*" }]
  })
}

resource "aws_iam_policy" "fence" {
  name = "Fence"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:*", Resource = "*" }]
  })
}

resource "aws_ssoadmin_permission_set" "analyst" {
  name             = "Analyst"
  description      = "Reads the lake"
  instance_arn     = local.instance
  relay_state      = "https://s3.console.aws.amazon.com/s3/home"
  session_duration = "PT4H"
  tags             = { team = "lake" }
}

resource "aws_ssoadmin_permission_set" "bare" {
  name         = "Bare"
  instance_arn = local.instance
}

resource "aws_ssoadmin_permission_set_inline_policy" "analyst" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.analyst.arn
  inline_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "List", Effect = "Allow", Action = ["s3:ListAllMyBuckets", "s3:ListBucket"], Resource = "*" }]
  })
}

resource "aws_ssoadmin_managed_policy_attachment" "analyst" {
  # Without this the policy is taken away while it is still assigned, as the provider's documentation has it.
  depends_on         = [aws_ssoadmin_account_assignment.red]
  instance_arn       = local.instance
  managed_policy_arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
  permission_set_arn = aws_ssoadmin_permission_set.analyst.arn
}

resource "aws_ssoadmin_customer_managed_policy_attachment" "analyst" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.analyst.arn
  customer_managed_policy_reference {
    name = aws_iam_policy.lake.name
    path = "/lake/"
  }
}

resource "aws_ssoadmin_permissions_boundary_attachment" "analyst" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.analyst.arn
  permissions_boundary {
    customer_managed_policy_reference {
      name = aws_iam_policy.fence.name
      path = "/"
    }
  }
}

resource "aws_ssoadmin_permissions_boundary_attachment" "bare" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.bare.arn
  permissions_boundary {
    managed_policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
  }
}

resource "aws_ssoadmin_account_assignment" "red" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.analyst.arn
  principal_id       = aws_identitystore_group.red.group_id
  principal_type     = "GROUP"
  target_id          = data.aws_caller_identity.current.account_id
  target_type        = "AWS_ACCOUNT"
}

resource "aws_ssoadmin_account_assignment" "mateo" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.bare.arn
  principal_id       = aws_identitystore_user.mateo.user_id
  principal_type     = "USER"
  target_id          = data.aws_caller_identity.current.account_id
  target_type        = "AWS_ACCOUNT"
}
