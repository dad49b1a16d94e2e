// Package center is the identity center: the instances that people sign in through, the trusted token issuers whose
// tokens they accept, the applications that may exchange such a token for a person's identity, and the permission sets
// that people have in accounts. It is the service sso-admin, and what token, grants, portal and the gateway ask before they
// act for an application or a person.
//
// # How the things hang together
//
//	instance      arn:aws:sso:::instance/ssoins-0123456789abcdef          owns an identity store (d-…)
//	├─ issuer     arn:aws:sso::222222222222:trustedTokenIssuer/ssoins-…/tti-…   claim → attribute of the store
//	├─ application arn:aws:sso::222222222222:application/ssoins-…/apl-…
//	│   ├─ grants       which tokens it may exchange: issuers and their audiences
//	│   ├─ scopes       for what
//	│   ├─ method       the actor policy: which IAM principal may exchange for it
//	│   └─ assignments  which people and groups, unless none are required
//	└─ permission set arn:aws:sso:::permissionSet/ssoins-…/ps-…
//	    ├─ policies     an inline one, managed ones, a boundary
//	    ├─ assignments  which people and groups have it, in which accounts
//	    └─ provisions   the role that it is in an account, from the first assignment there to the last
//
// The account in an ARN is the one that owns the instance. The account that created an application may be another member
// of the organization: that is Application.Account, AWS's ApplicationAccount.
//
// # Who may
//
// The account that owns an instance may do everything with it. Of the organization's instance, a delegated administrator
// may do the same, and any member account may read the instance and its issuers, create applications, and manage those
// that it created. Permission sets are the organization's alone: the owner's and a delegated administrator's, who may
// change none that is provisioned in the management account. On top of that the caller's IAM policies must allow sso:<operation>. They are asked as for a
// resource of the caller's own account, since no resource policy exists that could allow across accounts.
//
// # Promises
//
//   - Everything that a decision needs is in memory, parsed: Instance, Application, Issuer, Assigned cost no query. A
//     change is in memory before it is acknowledged (package store).
//   - An actor policy that names a user or role means the one that existed when it was saved. Somebody who is made again
//     under the same name is not meant.
//   - Ids are random and never used again. What is deleted takes everything that hangs on it along.
//   - An instance that the caller may not see and one that does not exist get the same answer.
//
// Center, Service and the values that they return are safe for concurrent use; the values are shared, so do not change
// them.
package center
