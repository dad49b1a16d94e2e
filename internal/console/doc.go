// Package console is the web console: pages in which people see what they reach, ask for more and decide, and in which
// administrators look after grants and revoke sessions.
//
//	browser ─▶ who is signed in (signin) ─▶ in whose name: the person, or a role of theirs (portal)
//	                                            │
//	                                            ▼
//	                                   an operation, as any client calls it: checked, authorised, recorded
//
// It is a client of the same operations as everybody else. It knows no tables and decides nothing: each page calls generated
// operations, with the caller that the signed-in person is, and shows what they answer or the error that they refuse with.
//
// # In whose name
//
// A person acts in their own name, which gives them what authz says that a person has without a role: to see what is theirs,
// to ask, and to decide about what is theirs. To administer they take one of their permission sets. Its session is made anew
// for each request, from a sealed cookie that says which one and since when, so that there are no credentials to steal, and a
// lost assignment, a revocation or the end of its time counts at the next click. The trail has the role and the person's name.
//
// # The promises
//
//   - Nothing is changed but by POST, from a page of this origin, with a token that is sealed for this browser session.
//   - Texts of people are texts: nothing that anybody wrote becomes markup, and what would turn the reading direction shows.
//   - No page can be framed, none runs a script, none is kept by a cache. Everything works with a keyboard and without scripts.
//   - Who is disabled, signed out or revoked is out at the next request.
package console
