// Package scim is a second face of the directory: SCIM 2.0 (RFC 7643, RFC 7644), by which an identity provider keeps
// people, groups and memberships as they are at its own place. Each identity store has a base URL of its own,
//
//	<web door>/scim/v2/<identity store id>/Users
//
// and bearer tokens of its own, which are all the authorisation that there is: they write everything in their store and
// nothing outside of it.
//
// A resource is a tree of JSON values under the names of its schema (schema.go). Requests become trees in that form first
// (normal.go): names in any letter case, "True" for true, one item for a list of one, null for absent, unknown names left
// out. On trees work filters (filter.go, match.go) and PATCH (path.go, patch.go); what comes out is turned back into the
// directory's types (resource.go), which the directory checks and writes as for every other face.
//
// What it promises:
//
//   - A request is done wholly or not at all, PATCH with many operations among them.
//   - A wrong store, a wrong token and an expired one get the same answer.
//   - A person set to active: false, or removed, has no access from the moment of the answer on.
//   - A request that leaves out active never enables anybody.
package scim
