// Package trail records who did what: each call of an API and each request for an object, allowed or refused, in the
// shape of CloudTrail, with what CloudTrail leaves out: the person's name, the application, the grant, the decision and
// its reason. It answers LookupEvents from the management events of the last ninety days, and Why from the steps that
// led to a decision.
//
//	{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole",…,"onBehalfOf":{"userId":"…","identityStoreArn":"…"}},
//	 "eventTime":"2026-11-01T10:00:05Z","eventSource":"s3.amazonaws.com","eventName":"GetObject",…,
//	 "additionalEventData":{"personUserName":"mateo@example.com","accessGrantId":"…","decision":"allowed",…}}
//
// While a request is served, its Entry travels in the context and rooms add what they learn. At the end Finish makes it
// one record for each account that has a part in it.
//
// Where a record is, and what is lost when:
//
//   - A change commits together with its record (an outbox row in the same transaction). Whatever happens after, the
//     record is in the log within three minutes, or at the latest after the next start. A crash between the two may put a
//     record into the log twice; both lines have the same eventID.
//   - Every record is in the log before Finish returns: numbered segments of JSON lines, chained by their hashes, which
//     Verify follows. The write has reached the operating system, so that the end of the process loses none. What gives
//     out an answer of an API is on the disk as well; data events are within a fifth of a second, or before Finish
//     returns with SyncAlways.
//   - LookupEvents and Why read the database, which takes records of reads a moment later, in batches; Flush waits for
//     them. A crash may cost the database the reads of the last 50 ms, never the log. Refusals that come faster than the
//     database should grow are in the log alone, and are counted (Dropped).
//   - When the log takes no record, Finish says so if the configuration requires one, and counts it otherwise (Failures).
//     Management events wait in the database until the log takes them; allowed data events are lost.
//   - No secret, token or assertion is in a record. Parameters come with secrets hidden; here, members with the name of a
//     secret are hidden once more, and so is everything that has the form of a JSON Web Token, wherever it stands.
//   - Every value is bounded. A line of the log is one record whatever the request holds: control characters, line
//     separators and characters that turn the direction of text are escaped.
package trail
