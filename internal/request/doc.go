// Package request lets people ask for access, and those whose data it is decide. It is part of the service lakegate.
//
//	PENDING ─▶ APPROVED    makes an access grant with an end
//	        ─▶ REFUSED     by who may decide, with a comment
//	        ─▶ WITHDRAWN   by who asked
//	        ─▶ EXPIRED     nobody decided in time
//
// What it promises:
//
//   - A request is by a person for that person: the caller acts for one, and the grant is the person's own. What is asked
//     for is held to what CreateAccessGrant accepts before anything is kept.
//   - Owners decide, and administrators. An owner is a person who is, or is in the group that is, the owner of the location
//     or of a grant that covers what is approved. An administrator may create access grants in the account.
//   - Nobody decides about a request of their own, in whichever session, role or application.
//   - Who approves may give less than was asked for, and never more.
//   - A request is decided once. The decision and the grant are one change.
//   - What happened is in the trail, under the name of who did it, and is told to a webhook at least once, if one is set.
//
// With compat: strict there are no requests, as grants have no end there.
package request
