// Package gateway is the S3 data plane: it names the operation that a request asks for, decides, and forwards.
//
// Everything begins with Parse, which reads a request once into a typed Request. From then on the client's path, query and
// headers are not looked at again: the decision is made on the Request, and the request to the storage is built anew from
// the same Request, so what was authorised is what is forwarded.
//
//	PUT /red/2026/sales.csv                                      Operation  CopyObject
//	x-amz-copy-source: blue/old.csv?versionId=v  ── Parse ──▶    Bucket     red
//	x-amz-acl: private                                           Key        2026/sales.csv
//	                                                             Source     blue, old.csv, v
//	                                                 Needs ──▶   s3:GetObjectVersion  arn:aws:s3:::blue/old.csv
//	                                                             s3:PutObject         arn:aws:s3:::red/2026/sales.csv
//	                                                             s3:PutObjectAcl      arn:aws:s3:::red/2026/sales.csv
//
// What Parse promises:
//
//   - The operation is the only one that the method, the path and the query can mean. A sub-resource that is not known, a
//     parameter that the operation does not have, one given twice or in another case, and two sub-resources at once are
//     refused; nothing falls through to a plain read or write.
//   - A header of Amazon's that is not known is refused, since it may change what the request means. Headers that a
//     presigned URL carries as parameters count as headers.
//   - The key is the path decoded once and never cleaned. Keys that a file system would resolve to something else (with an
//     empty, "." or ".." segment) are refused for all storage alike.
//   - Needs lists every action on every resource that the operation touches. The keys of a batch delete come from its body;
//     see ParseDelete and DeleteNeeds.
package gateway
