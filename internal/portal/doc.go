// Package portal is the access portal, the service sso: a person who signed in sees the accounts and permission sets that
// are assigned to them, and gets credentials of one.
//
//	access token ─▶ ListAccounts ─▶ ListAccountRoles ─▶ GetRoleCredentials ─▶ a session of AWSReservedSSO_<set>_<id>
//
// Requests are not signed. An access token with the scope sso:account:access is all that a caller shows, so that each
// request asks anew who the person is, whether the sign-in goes on, and what is assigned.
//
// # The promises
//
//   - The session carries the person and names the assignment that it rests on. Standing, which is asked on each request of
//     the session and of what followed from it, ends them with the assignment, direct or through a group.
//   - Whether an account or a permission set exists is told to nobody who has no part in it.
//   - The person chooses nothing that goes into the session: its name comes from the user name, its tags from the directory.
package portal
