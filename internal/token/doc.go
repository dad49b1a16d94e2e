// Package token gives out what carries a signed-in person to applications and into AWS. It is CreateTokenWithIAM of the
// service sso-oidc, and below it what the sign-in at an instance and the portal work with: authorization codes, access
// tokens and refresh tokens. An application that an IAM role signs for hands in one of four things:
//
//	assertion      a JWT with which the person signed in at a trusted issuer      jwt-bearer
//	code           from the browser, of a sign-in at the instance itself          authorization_code
//	subject token  the access token of another application that calls this one    token-exchange
//	refresh token  of an earlier answer                                           refresh_token
//
// and gets an identity token, an access token, an identity context (▶ sts AssumeRole) and, with the grant, a refresh token.
//
// # Families
//
// All that comes from one sign-in at one client is a family: a row that says who, at which client, since when, until when,
// and the most that it may be for. Access tokens and refresh tokens refer to it and are asked against it on every use, on
// any node; credential ids begin with its name, so that the sessions which were made from an identity context can be asked
// too (SignInEnded). A family ends as one, by EndSession or because a code or a refresh token came twice, and takes along
// those that were exchanged from its access tokens. None lasts longer after the sign-in than the instance says: eight
// hours, unless its sign-in provider has another time.
//
// Background sessions, which on AWS go on for days after the person left, are for AWS's own applications. As there, the
// setting of an application that customers manage is kept and answered, and gives it nothing.
//
// # The exchange
//
// Each question is a step of the trail with what was found; the first that fails ends the exchange:
//
//  1. the application exists                                     InvalidClient
//  2. its actor policy and the caller's policies allow           AccessDenied
//  3. it is enabled and has the grant                            UnauthorizedClient
//  4. the assertion is a JWT of an accepted form                 InvalidGrant
//  5. its issuer is one of the grant's                           InvalidGrant
//  6. it is signed by a key that the issuer publishes            InvalidGrant
//  7. it is valid now, for one of the authorised audiences       InvalidGrant
//  8. its claim names exactly one person, who is enabled         InvalidGrant
//  9. the person is assigned, where that is required             AccessDenied
//  10. the scopes are configured                                 InvalidScope
//  11. nobody exchanged it before                                InvalidGrant
//
// A code, a subject token and a refresh token take the place of steps 4 to 7 and 11: they are ours, not used before, and
// still stand (InvalidGrant, or ExpiredToken).
//
// The client is told AWS's code and no more: an unknown issuer, a forged signature and an unknown person read the same.
// What failed is in the trail, for those who may ask.
//
// # Promises
//
//   - An assertion is exchanged once, also when many try at the same time on any node. One that was refused is not used up.
//   - Keys come from the issuer's own discovery document alone. A header never chooses a key, or a kind of signature that
//     the key is not made for.
//   - A visit to an issuer is bounded in time and size and stays on the public internet, unless the operator says otherwise.
//   - Assertions, codes and tokens are neither stored nor logged: what is kept of them are hashes.
//   - A code is good once, for a minute, for the client, the redirect URI and the verifier that it was made for.
//   - A refresh or an exchange never widens scopes, and asks for person, application, grant and assignment as they are now.
//
// Identity tokens are signed by a key of the instance, which Publisher publishes and Keyring rotates.
package token
