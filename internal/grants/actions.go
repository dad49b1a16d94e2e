package grants

import "slices"

// The S3 actions of each permission (S3 user guide, access grants credentials; Service Authorization Reference, the actions
// with the condition key s3:AccessGrantsInstanceArn).
var (
	readObject  = []string{"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAcl", "s3:GetObjectVersionAcl", "s3:ListMultipartUploadParts"}
	readBucket  = []string{"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"}
	writeObject = []string{"s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload"}
)

// Actions on the tags of objects. No permission has them at AWS. A grant has them if its terms name them, and one that
// denies takes them along with the permission.
var (
	readTags  = []string{"s3:GetObjectTagging", "s3:GetObjectVersionTagging"}
	writeTags = []string{"s3:PutObjectTagging", "s3:PutObjectVersionTagging", "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"}
)

// actionsOf are the actions of a permission, with those on tags or without.
func actionsOf(p Permission, tags bool) (all []string) {
	if p != Write {
		all = slices.Concat(readObject, readBucket)
		if tags {
			all = append(all, readTags...)
		}
	}
	if p != Read {
		all = append(all, writeObject...)
		if tags {
			all = append(all, writeTags...)
		}
	}
	return all
}

func onTags(action string) bool {
	return slices.Contains(readTags, action) || slices.Contains(writeTags, action)
}

// gives reports whether a grant has an action that belongs to its permission.
func (g *Grant) gives(action string) bool {
	if g.Terms == nil || g.Terms.Actions == nil {
		return !onTags(action)
	}
	return slices.Contains(g.Terms.Actions, action)
}

// takes reports whether a grant that denies denies an action: of all those of its permission, if its terms name none.
func (g *Grant) takes(action string) bool {
	if g.Terms.Actions != nil {
		return slices.Contains(g.Terms.Actions, action)
	}
	return slices.Contains(actionsOf(g.Permission, true), action)
}

// enough reports whether a grant that is bounded to some actions is of use for a permission: it has some to read with where
// reading is asked for, and some to write with where writing is.
func (g *Grant) enough(asked Permission) bool {
	some := func(p Permission) bool {
		within := actionsOf(p, true)
		return slices.ContainsFunc(g.Terms.Actions, func(a string) bool { return slices.Contains(within, a) })
	}
	return (asked == Write || some(Read)) && (asked == Read || some(Write))
}

// overlaps reports whether two permissions have a part in common.
func (p Permission) overlaps(other Permission) bool {
	return p == other || p == ReadWrite || other == ReadWrite
}
