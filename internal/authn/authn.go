// Package authn finds out who signed a request: it takes the access key id from the signature, finds the secret (of a
// user's key, or of the session whose token came along), verifies, and returns the Caller.
//
// What it promises: whoever it returns has proved to know the secret; an unknown key, a disabled one, a token for another
// key and an expired one are told apart only as AWS tells them apart. Whether the caller may do anything is authz's
// business: a session of a deleted role still has a valid signature.
package authn

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/sigv4"
)

var (
	// ErrUnknownKey says that no active key has the id.
	ErrUnknownKey = errors.New("unknown access key")
	// ErrInvalidToken says that a session token was not issued here for the access key, or was altered.
	ErrInvalidToken = errors.New("invalid session token")
	// ErrExpiredToken says that a session is over.
	ErrExpiredToken = errors.New("expired session token")
)

// Keys finds long-term access keys; account provides it. The error is ErrUnknownKey for a key that does not exist or is
// not active.
type Keys interface {
	Key(accessKeyID string) (secret string, c *caller.Caller, err error)
}

// Sessions opens temporary credentials; session provides it. The errors are ErrInvalidToken and ErrExpiredToken.
type Sessions interface {
	Open(accessKeyID, token string) (secret string, c *caller.Caller, err error)
}

// Authenticator verifies signatures.
type Authenticator struct {
	Keys     Keys
	Sessions Sessions
	// Region is the only Region whose signatures are accepted.
	Region string
	Now    func() time.Time
	// Cache keeps the signing keys of the day.
	Cache *sigv4.KeyCache
	// Used is told of each request that a long-term key signed, and for which service; it may be nil.
	Used func(accessKeyID, service string)
}

// Authenticate verifies the signature of a request to a service and returns who made it, with the proof that a body is
// checked against. The caller is a copy of its own. Errors are *sigv4.Error, or failures of the server.
func (a *Authenticator) Authenticate(r *http.Request, sig *sigv4.Signature, opts sigv4.Options) (*caller.Caller, *sigv4.Proof, error) {
	opts.Now, opts.Region, opts.Keys = a.Now(), a.Region, a.Cache
	if err := sig.Check(opts); err != nil {
		return nil, nil, err
	}
	secret, found, err := a.find(sig)
	if err != nil {
		return nil, nil, err
	}
	proof, err := sig.Verify(r, secret, opts)
	if err != nil {
		return nil, nil, err
	}
	return a.prove(sig, found), proof, nil
}

// AuthenticateForm is Authenticate for an HTML form: it proves that the policy is signed and that the form keeps to it.
// The size of the file, which the form's reader knows, is to be held against the range that comes back.
func (a *Authenticator) AuthenticateForm(form *sigv4.FormSignature, opts sigv4.Options) (*caller.Caller, sigv4.LengthRange, error) {
	opts.Now, opts.Region, opts.Keys = a.Now(), a.Region, a.Cache
	sig := &form.Signature
	if err := sig.Check(opts); err != nil {
		return nil, sigv4.LengthRange{}, err
	}
	secret, found, err := a.find(sig)
	if err != nil {
		return nil, sigv4.LengthRange{}, err
	}
	length, err := form.Verify(secret, opts)
	if err != nil {
		return nil, length, err
	}
	return a.prove(sig, found), length, nil
}

// prove makes the caller of a signature that was verified.
func (a *Authenticator) prove(sig *sigv4.Signature, found *caller.Caller) *caller.Caller {
	if a.Used != nil && found.Session == nil {
		a.Used(sig.Credential.AccessKeyID, sig.Credential.Service)
	}
	c := *found
	c.Auth = authMethod(sig.Form)
	return &c
}

func (a *Authenticator) find(sig *sigv4.Signature) (secret string, c *caller.Caller, err error) {
	id, token := sig.Credential.AccessKeyID, sig.SessionToken()
	if token == "" {
		secret, c, err = a.Keys.Key(id)
		if errors.Is(err, ErrUnknownKey) {
			kind := sigv4.UnknownKey
			if len(id) > 4 && id[:4] == "ASIA" {
				kind = sigv4.MissingToken
			}
			return "", nil, sig.Refuse(kind)
		}
	} else {
		secret, c, err = a.Sessions.Open(id, token)
		switch {
		case errors.Is(err, ErrExpiredToken):
			return "", nil, sig.Refuse(sigv4.ExpiredToken)
		case errors.Is(err, ErrInvalidToken):
			return "", nil, sig.Refuse(sigv4.InvalidToken)
		}
	}
	if err != nil {
		return "", nil, fmt.Errorf("find access key: %w", err)
	}
	return secret, c, nil
}

// authMethod is how CloudTrail's additionalEventData names the form of a signature.
func authMethod(f sigv4.Form) string {
	switch f {
	case sigv4.Query:
		return "QueryString"
	case sigv4.PostForm:
		return "HtmlForm"
	default:
		return "AuthHeader"
	}
}
