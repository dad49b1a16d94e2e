// Package trail records who did what: each call of an API and each request for an object, allowed or refused, in the
// shape of CloudTrail, with what CloudTrail leaves out: the person's name, the application, the grant, the decision and
// its reason.
//
//	{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole",…,"onBehalfOf":{"userId":"…","identityStoreArn":"…"}},
//	 "eventTime":"2026-11-01T10:00:05Z","eventSource":"s3.amazonaws.com","eventName":"GetObject",…,
//	 "additionalEventData":{"personUserName":"mateo@example.com","accessGrantId":"…","decision":"allowed",…}}
//
// While a request is served, its Entry travels in the context and rooms add what they learn. At the end Finish makes it
// one record for each account that has a part in it.
//
// What it promises:
//
//   - A change commits together with its record (an outbox row in the same transaction). Whatever happens after, the
//     record is in the log at the latest after the next start.
//   - Records of reads and of data are in the log, a file of JSON lines, before Finish returns: the write has reached the
//     operating system, so that the end of the process loses none. The file is forced to the disk once a second; a loss
//     of power can lose that second.
//   - LookupEvents sees management events at once; what a crash may cost it is the reads of the last instant, never the
//     log and never a change.
//   - No secret, token or assertion is in a record. Parameters come with secrets hidden, and members with the name of a
//     secret are hidden here once more.
//   - Every value is bounded.
package trail
