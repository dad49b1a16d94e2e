// Package delivery brings the audit log into buckets: CloudTrail's trails. It implements the operations on trails of
// cloudtrail, and writes what they ask for in CloudTrail's layout, so that what reads CloudTrail's buckets reads these.
//
//	[prefix/]AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_<16>.json.gz
//	[prefix/]AWSLogs/ACCOUNT/CloudTrail-Digest/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail-Digest_REGION_TRAIL_REGION_YYYYMMDDTHHmmssZ.json.gz
//
// What it promises:
//
//   - Each record that a trail selects is in its bucket at least once. A file is planned before it is written, under a name
//     and with an extent that a restart takes up again: it writes the same bytes to the same key.
//   - A digest names every file that was written since the digest before, with its hash, and is signed together with that
//     one's signature. `aws cloudtrail validate-logs` follows the chain back and tells what was altered or is missing.
//   - Files are written as cloudtrail.amazonaws.com, when the bucket's policy lets it at that moment, and not otherwise:
//     whoever may make trails cannot write into a bucket whose owner does not want it. What was refused stays in the log
//     and is tried again; GetTrailStatus tells why.
//   - What the log removed before a trail had it (see trail.LogConfig.Hold) is told by GetTrailStatus as well.
//   - The private keys of digests are sealed under the master key. They live for a quarter, and what signed nothing but the
//     past is forgotten.
//
// Each node delivers its own log; the digests are the trail's.
package delivery
