package signin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/authz"
	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// Times of a device sign-in.
const (
	deviceTime = 10 * time.Minute
	// deviceWait is how often a device may ask; each question that comes too early makes it deviceMoreWait longer
	// (RFC 8628 §3.5), up to longestWait.
	deviceWait     = time.Second
	deviceMoreWait = 5 * time.Second
	longestWait    = time.Minute
)

// StartDeviceAuthorization begins a sign-in on a device without a browser, which shows the user code to a person.
func (s *Service) StartDeviceAuthorization(ctx context.Context, in *ssooidc.StartDeviceAuthorizationInput) (*ssooidc.StartDeviceAuthorizationOutput, error) {
	authz.Open(ctx)
	origin := caller.RequestFrom(ctx)
	if !s.limits.device.take(origin.Network()) {
		return nil, slowDown(ctx, "too many device sign-ins were started")
	}
	c, err := s.authenticate(ctx, in.ClientId, in.ClientSecret)
	if err != nil {
		return nil, err
	}
	if !c.may(grantDevice) {
		return nil, unauthorized(ctx, "the client is not registered for device sign-ins")
	}
	i, ok := s.instanceOf(in.StartUrl)
	if !ok || c.Instance != "" && c.Instance != i.ID() {
		why := fmt.Sprintf("%.256q is not the start URL of an instance to which people can sign in", in.StartUrl)
		trail.From(ctx).Step("start URL", trail.Fail, why)
		return nil, ssooidc.InvalidRequestException("Invalid start URL provided").Because(errors.New(why))
	}
	trail.From(ctx).Resource("AWS::SSO::Instance", i.ARN, i.Account)
	now, deviceCode := s.db.Now(), newSecret()
	d := deviceRow{
		hash: hashOf(deviceCode), client: in.ClientId, name: c.Name, instance: i.ARN, scopes: c.Scopes, source: origin.SourceIP,
		created: now, expires: now.Add(deviceTime), wait: deviceWait,
	}
	full := false
	// A user code that is in use already is tried again with another.
	for try := 0; ; try++ {
		d.userCode = newUserCode()
		err := s.db.Update(ctx, func(tx *store.Tx) error {
			waiting, err := countDevices(ctx, tx, now)
			if full = waiting >= devicesWaiting; err != nil || full {
				return err
			}
			return insertDevice(ctx, tx, &d)
		})
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrConflict) || try == 3 {
			return nil, fmt.Errorf("store device sign-in: %w", err)
		}
	}
	if full {
		return nil, slowDown(ctx, "too many devices wait for a person")
	}
	shown := spellUserCode(d.userCode)
	uri := s.webURL + devicePath
	return &ssooidc.StartDeviceAuthorizationOutput{
		DeviceCode: &deviceCode, UserCode: &shown, VerificationUri: &uri, VerificationUriComplete: new(uri + "?user_code=" + url.QueryEscape(shown)),
		ExpiresIn: new(int(deviceTime / time.Second)), Interval: new(int(deviceWait / time.Second)),
	}, nil
}

// userCodeLetters are consonants that nobody takes for another: no word comes of them (RFC 8628 §6.1).
const (
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength  = 8
)

func newUserCode() string {
	code := make([]byte, 0, userCodeLength)
	for len(code) < userCodeLength {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails
		for _, x := range b {
			// The last part of the range would make the first letters likelier.
			if n := len(userCodeLetters); len(code) < userCodeLength && int(x) < 256/n*n {
				code = append(code, userCodeLetters[int(x)%n])
			}
		}
	}
	return string(code)
}

func spellUserCode(code string) string { return code[:4] + "-" + code[4:] }

// readUserCode takes what a person typed: without regard to case, blanks and hyphens. It reports false for what can be no
// user code.
func readUserCode(text string) (string, bool) {
	if len(text) > 32 {
		return "", false
	}
	var code strings.Builder
	for _, r := range strings.ToUpper(text) {
		switch {
		case strings.ContainsRune(userCodeLetters, r):
			code.WriteRune(r)
		case r != '-' && r != ' ':
			return "", false
		}
	}
	return code.String(), code.Len() == userCodeLength
}

// pollDevice answers a device that asks whether its person has decided.
func (s *Service) pollDevice(ctx context.Context, in *ssooidc.CreateTokenInput) (deviceRow, error) {
	hash, now := hashOf(*in.DeviceCode), s.db.Now()
	var (
		d     deviceRow
		early bool
	)
	err := s.db.View(ctx, func(q store.Querier) (err error) {
		d, err = readDevice(ctx, q, hash)
		return err
	})
	if err == nil && d.client == in.ClientId && d.state == statePending && now.Before(d.expires) {
		err = s.db.Update(ctx, func(tx *store.Tx) (err error) {
			if d, err = readDevice(ctx, tx, hash); err != nil || d.state != statePending {
				return err
			}
			asked, wait := now, d.wait
			if early = !d.asked.IsZero() && now.Sub(d.asked) < d.wait; early {
				asked, wait = d.asked, min(d.wait+deviceMoreWait, longestWait)
				if wait == d.wait {
					return nil // nothing new to write down, however often it asks
				}
			}
			return noteAsked(ctx, tx, hash, asked, wait)
		})
	}
	e := trail.From(ctx)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && d.client != in.ClientId:
		e.Step("device code", trail.Fail, "no such device code for this client")
		return d, invalidGrant(errors.New("no such device code for this client"))
	case err != nil:
		return d, fmt.Errorf("read device sign-in: %w", err)
	case d.state == stateSpent:
		e.Step("device code", trail.Fail, "tokens were issued for it before")
		return d, invalidGrant(errors.New("the device code was used before"))
	case d.state == stateDenied:
		e.Step("device code", trail.Fail, "the person refused")
		return d, ssooidc.AccessDeniedException("The person refused the request")
	case !now.Before(d.expires):
		e.Step("device code", trail.Fail, "expired at "+d.expires.Format(time.RFC3339))
		return d, ssooidc.ExpiredTokenException("Device code has expired")
	case d.state == stateApproved:
		e.Step("device code", trail.Pass, "approved")
		return d, nil
	case early:
		return d, ssooidc.SlowDownException("The device asks too often")
	}
	return d, ssooidc.AuthorizationPendingException("The person has not decided yet")
}

func invalidGrant(why error) error {
	return ssooidc.InvalidGrantException("Invalid grant provided").Because(why)
}

func unauthorized(ctx context.Context, why string) error {
	trail.From(ctx).Step("grant type", trail.Fail, why)
	return ssooidc.UnauthorizedClientException("Client is not authorized to perform this operation").Because(errors.New(why))
}
