// Package ldap takes the people and groups of an LDAP server or an Active Directory into an identity store, for companies
// whose directory cannot push them by SCIM.
//
// A run has three parts, and only the last one changes anything:
//
//	read    everybody and every group, page by page, into a Snapshot; an answer that may be incomplete ends the run
//	plan    a pure function: what the source says against what the directory has → changes, in an order that can be applied
//	apply   each change through the directory's own operations, a transaction and an audit record each; revocations first
//
// What it promises:
//
//   - Entries are told apart by the source's immutable id (objectGUID, entryUUID, ipaUniqueID), kept as an external id
//     under the source's issuer. A rename keeps the person's id and grants; a new entry under an old name is a new person.
//   - What SCIM or the API made is never touched. A name that somebody else has is reported, never taken.
//   - Nothing is inferred from silence: a dropped connection, a referral, a limit of the server or a page too many fails
//     the run as a whole, and a run that would take access from too many is refused until somebody forces it.
//   - A run that is cut off leaves a prefix of its plan behind; the next one plans anew and does the rest.
//   - The password is read from a file or the environment for each run, sent over verified TLS alone, and never kept.
package ldap
