// Package directory keeps the people of an identity store: users, groups, and who belongs to what. It is the service
// identitystore, and what SCIM and LDAP write to.
//
// Two services stand on it: Service is identitystore, for the account that owns a store and, reading only, for the other
// members of its organization; TokenService gives out the bearer tokens of provisioning clients.
//
// All faces call the same operations on Directory, which validate, change and record in one place. What they promise:
//
//   - User names and primary email addresses are unique without regard to case, group names too. External ids are unique
//     per issuer and keep their case.
//   - An id is never given twice. Somebody who is deleted and created again is somebody else: old grants do not revive.
//   - A disabled or deleted person, or a membership that ended, is gone from the index before the change is acknowledged.
//
// Decisions ask the Index, which holds in memory who is enabled and who belongs to what, and never a query.
package directory
