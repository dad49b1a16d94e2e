// Package account keeps the organization and what IAM keeps in each of its accounts: users and their access keys, groups,
// roles, and policies. It answers three kinds of question:
//
//   - of authn: whose access key is this (Keys)?
//   - of authz: which policies apply to this caller, as they are now (PoliciesOf, TagsOf, OrganizationOf)?
//   - of the rooms above: is there such a role, such an account, such a principal (Registry)?
//
// and it serves two APIs, each by a type of its own: IAM and Organizations.
//
// # Names and ids
//
// A user, group or role has a name, which people choose and may use again, and an id, which is never used again:
//
//	arn:aws:iam::111111111111:role/team/ApplicationRole    AROAQ7JX2M4KZP3WDN5FT
//
// Sessions and trust policies hold on to the id. Where a trust policy names a user or role by ARN, the id that it has at
// that moment is stored next to the text, and the id is what is compared: a role deleted and made again under the same
// name is somebody else, whom nobody trusts yet. A policy whose principal is gone shows the id in place of the ARN, as it
// does on AWS.
//
// # Promises
//
//   - Everything that a decision needs is in memory, parsed; no decision costs a query. A change is in memory before it
//     is acknowledged (package store).
//   - A principal that was deleted, renamed, made again or whose account is suspended has no policies: PoliciesOf
//     returns ErrGone, and its sessions and keys are refused at the next request.
//   - A policy that cannot be read (any more) denies everything to whom it is attached.
//   - Secret access keys are sealed in the database and in memory. They leave this room three times: to authn for a
//     signature, to the client that creates the key, and as Profiles for the file of the operator.
//   - There is no access across accounts: an IAM operation works on the caller's own account, whatever ARN it is given.
//     Another account's policy is refused as if it did not exist.
//
// # Concurrency
//
// Registry, Keys, IAM and Organizations are safe for concurrent use. Values that they return are shared and immutable.
package account
