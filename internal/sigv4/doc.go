// Package sigv4 verifies and makes AWS Signature Version 4 signatures.
//
// A signature is an HMAC over a canonical form of the request, under a key that is derived from the secret for one day,
// one Region and one service:
//
//	key       = HMAC(HMAC(HMAC(HMAC("AWS4"+secret, "20261122"), "us-east-1"), "s3"), "aws4_request")
//	to sign   = AWS4-HMAC-SHA256 \n 20261122T101500Z \n 20261122/us-east-1/s3/aws4_request \n hex(SHA-256(canonical request))
//	canonical = method \n path \n query \n headers \n names of the signed headers \n payload hash
//
// It comes in three forms: in the Authorization header, in the query of a presigned URL, and in the fields of an HTML form
// (where the policy is signed instead of the request). A server takes these steps:
//
//	sig, err := sigv4.Parse(r)                    // what the request claims; ErrUnsigned when it claims nothing
//	err = sig.Check(opts)                         // clock, date, Region, service: needs no secret
//	secret := lookup(sig.Credential.AccessKeyID)
//	proof, err := sig.Verify(r, secret, opts)     // the signature itself
//	body, err := sigv4.NewBody(r, proof, …)       // the content, checked against what was signed while it is read
//
// # Promises
//
//   - What is not understood is refused: a second mechanism beside the first, SigV2, SigV4A, an unknown payload hash, a
//     scope for another Region, service or day.
//   - Nothing that changes a request stays unsigned: the host and every x-amz-* header that was sent must be signed.
//   - A body that NewBody was asked to check ends with io.EOF only if all of it was right: length, hash, every chunk's
//     signature, the trailer and its checksum. What was read before is provisional until then.
//   - Memory is bounded by constants, whatever the client declares.
//   - Signatures are compared in constant time. No secret, key or session token is printed by any verb of fmt.
//
// Every refusal is an *Error. Its Kind says what is wrong; Answer says how S3, the query services and the JSON services
// spell that.
package sigv4
