// Package signin is how a person signs in to Lakegate itself, rather than to an application: at the OpenID Connect provider
// that the owner of an identity center instance names. Lakegate is the relying party.
//
//	aws sso login ─▶ RegisterClient ─▶ /authorize, or StartDeviceAuthorization ─▶ /device     a browser
//	                                        │
//	                                        ├─▶ the provider's sign-in page ─▶ /<instance>/callback ─▶ a browser session
//	                                        ▼
//	                                   the person confirms ─▶ CreateToken ─▶ access token, refresh token
//
// # The promises
//
//   - Nobody is signed in by a link. What a browser asked for and what comes back belong together: state, nonce and PKCE
//     verifier of a flow are in a cookie that is sealed for this server, and each instance has a callback of its own.
//   - The claim that says who somebody is comes from an ID token whose issuer, audience, signature, time and nonce were
//     checked. Whoever cannot be signed in, for whatever reason, sees one page; the trail says why.
//   - No client gets anything because a browser happens to be signed in. A page names the client, the person and, for a
//     device, the code and where it was asked for, and the person says yes (RFC 8628 §5.4, RFC 8252 §8.6).
//   - Answers go to an address of this machine (public clients) or to one that an administrator registered to the letter
//     (applications of the identity center), and to nowhere else, errors included.
//   - A browser session names a person. Each request looks the person up, so that one who is disabled is out at once.
//   - A public client is what it says of itself, sealed into its client id: registering leaves nothing behind here, so that
//     nobody can fill the database with clients.
package signin
