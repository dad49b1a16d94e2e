package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
)

// signIn is who is signed in to an sso-session, with an access token that is good for a while.
type signIn struct {
	session  string
	token    *ssoToken
	endpoint string
}

// earlier is how long before its end a token or credentials count as over, so that what is handed out can be used.
const earlier = 5 * time.Minute

// ended tells in one sentence what to do.
func (i *signIn) ended() error { return signInEnded(i.session) }

func signInEnded(session string) error {
	command := "lakegate login"
	if session != "lakegate" {
		command += " --sso-session " + quoted(session)
	}
	return fmt.Errorf("nobody is signed in, or the sign-in has ended: run %s", command)
}

// openSignIn reads the tokens of an sso-session from where the SDKs keep them, and refreshes them when they are about to end.
func openSignIn(ctx context.Context, s *streams, c *credentialsCommand) (*signIn, error) {
	path, err := tokenPath(s, c.SSOSession)
	if err != nil {
		return nil, err
	}
	i := &signIn{session: c.SSOSession, endpoint: strings.TrimSuffix(c.Endpoint, "/")}
	if i.token, err = readToken(path); err != nil {
		return nil, err
	}
	if i.token == nil {
		return nil, i.ended()
	}
	if i.endpoint == "" {
		place, err := (&loginCommand{PlainHTTP: c.PlainHTTP}).findPlace(ctx, i.token.StartURL)
		if err != nil {
			return nil, err
		}
		i.endpoint = place.Endpoint
	} else if err := (&loginCommand{PlainHTTP: c.PlainHTTP}).checkURL("endpoint", i.endpoint); err != nil {
		return nil, err
	}
	if time.Until(i.token.ExpiresAt) > earlier {
		return i, nil
	}
	return i, i.refresh(ctx, path)
}

// over are the answers of CreateToken by which a sign-in cannot go on.
var over = []string{"InvalidGrantException", "ExpiredTokenException", "InvalidClientException", "UnauthorizedClientException", "AccessDeniedException", "InvalidRequestException"}

// refresh exchanges the refresh token, which is good for one exchange: of processes that run at the same time, one does it and
// the others read what it got. A token that is used twice would end the sign-in.
func (i *signIn) refresh(ctx context.Context, path string) error {
	unlock, err := lockFile(ctx, path+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	t, err := readToken(path)
	if err != nil {
		return err
	}
	if t == nil {
		return i.ended()
	}
	i.token = t
	if time.Until(t.ExpiresAt) > earlier {
		return nil
	}
	err = i.ended()
	if t.RefreshToken != "" && t.ClientID != "" {
		api := ssooidc.New(ssooidc.Options{Region: t.Region, BaseEndpoint: &i.endpoint, HTTPClient: awsHTTP(), RetryMaxAttempts: 1})
		var out *ssooidc.CreateTokenOutput
		out, err = api.CreateToken(ctx, &ssooidc.CreateTokenInput{
			ClientId: &t.ClientID, ClientSecret: &t.ClientSecret, GrantType: aws.String("refresh_token"), RefreshToken: &t.RefreshToken,
		})
		switch {
		case err == nil:
			t.AccessToken, t.ExpiresAt = aws.ToString(out.AccessToken), time.Now().Add(time.Duration(out.ExpiresIn)*time.Second).UTC().Truncate(time.Second)
			if out.RefreshToken != nil {
				t.RefreshToken = *out.RefreshToken
			}
			return t.save(path)
		case slices.Contains(over, codeOf(err)):
			err = i.ended()
		default:
			err = explained("refresh the sign-in", err)
		}
	}
	if time.Now().Before(t.ExpiresAt) {
		return nil // what is left of it serves
	}
	return err
}

// lockFile waits until no other process holds the lock of a file. It ends with the process, however that ends.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock token cache: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock token cache: %w", err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("lock token cache: %w", ctx.Err()), f.Close())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
