// Package issuer believes the tokens of issuers that others run: it reads a JWT, finds the keys of the issuer that it names,
// and says whether they signed it. The trusted token issuers of the identity center and the OpenID Connect providers of IAM
// share it.
//
// The way of a token:
//
//	Parse          three parts, an algorithm of the list, no header that brings a key along, no name twice
//	Keys.Verify    discovery document → key set → the key that the token names (OpenID Connect Discovery 1.0, RFC 7517)
//	CheckTimes     exp, nbf, iat against the clock
//
// Whom an issuer may speak for, and for which audience, is for who asks to decide: nothing here knows whom anybody trusts.
//
// # Promises
//
//   - A token whose issuer cannot be reached and whose keys are not remembered is not believed.
//   - Keys are kept as long as the issuer says, within bounds; nobody who sends tokens can make the server visit an issuer
//     more often than once a minute.
//   - Every visit is package visit's, with its bounds on where it goes, how long it takes and how much it reads.
package issuer
