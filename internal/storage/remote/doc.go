// Package remote keeps buckets at an S3 service somewhere else: MinIO, Ceph, SeaweedFS, versitygw, AWS.
//
// An Endpoint is one service with the credentials that this server has there. A Mount is one bucket of ours at a place
// there: a bucket and a prefix in it, which is empty or ends in a slash.
//
//	here                          there (Mount{Bucket: "lake-7", Prefix: "red/"})
//	red    2026/sales.csv    ──▶  lake-7   red/2026/sales.csv
//	red    prefix=2026/      ──▶  lake-7   prefix=red/2026/
//	red    2026/sales.csv    ◀──  lake-7   red/2026/sales.csv, and nothing that does not begin with red/2026/
//
// What it promises:
//
//   - A request is built anew from a typed value and signed here. Nothing of a client's path, query or headers gets
//     through that is not a field of that value.
//   - No key leaves the place of its mount. What an answer names outside of the place, or outside of what was asked for,
//     is a failure of the service and not an answer.
//   - Bodies are streamed in both directions. A body that breaks off, or proves wrong at its end, never becomes an object:
//     its last byte is held back until it has proved right.
//   - Checksums are passed on so that the service verifies them. Where it does not (Config.VerifyHere), they are verified
//     here, before the last byte is sent.
//   - A client sees S3's own errors under its own names of things. What the service says besides, its address, its bucket
//     and this server's credentials there are in no answer; its credentials are in no log either.
//   - A service that is slow, down or malicious costs its own requests and no others: connections are bounded, a stalled
//     transfer ends, answers are bounded, redirects are not followed, and after a row of failures requests are refused at
//     once until the service answers again.
//   - Only what can be repeated is: requests that read, and those of which nothing had been sent.
package remote
