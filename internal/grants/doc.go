// Package grants is S3 Access Grants: instances, locations and grants, the match of a request with the grants of whoever
// makes it, and the credentials that are handed out for a match. It is the 24 operations of s3control that concern them.
//
// An instance belongs to an account. A location registers a scope with the role that reaches it. A grant gives a person, a
// group, or an IAM principal a permission on a part of a location. GetDataAccess finds the grant that wins (match.go), and
// answers with a session of the location's role that is bounded by the grant.
//
// Reserved tags give a grant terms (terms.go): a begin and an end, some of the permission's actions (actions.go), or that it
// denies (deny.go). With variables in its scope it is a folder for each person (home.go).
//
// What it promises:
//
//   - A decision asks the Index in memory, never the database, and sees every change that was acknowledged.
//   - Credentials name their grant by id and carry no right. On each of their requests LimitsOf asks whether the grant, the
//     membership, the person, the application and the role still stand, and what the grant covers now. What was taken away
//     is gone at the next request.
//   - A scope is checked before anything is made of it. Keys are escaped where they enter a policy.
//   - The client of a refused request is told what AWS tells it. The reason is in the trail.
package grants
