package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/store"
	"github.com/lakegate/lakegate/internal/trail"
)

// showDevice asks for the user code, or, with one in the link, whom the person wants to sign in: a link is not a wish
// (RFC 8628 §5.4), so nothing is decided by following one.
func (s *Service) showDevice(ctx context.Context, r *http.Request) (*answer, error) {
	typed := r.URL.Query().Get("user_code")
	if typed == "" {
		return &answer{page: "device", view: codeForm{frame: s.frame("Sign in on a device")}}, nil
	}
	d, out, err := s.findCode(ctx, typed)
	if out != nil || err != nil {
		return out, err
	}
	return s.askAboutDevice(ctx, r, d)
}

// findDevice takes the user code that a person typed.
func (s *Service) findDevice(ctx context.Context, r *http.Request) (*answer, error) {
	d, out, err := s.findCode(ctx, r.PostForm.Get("user_code"))
	if out != nil || err != nil {
		return out, err
	}
	// By a link of our own: what comes next may lead to the provider and back.
	return &answer{redirect: s.webURL + devicePath + "?user_code=" + url.QueryEscape(spellUserCode(d.userCode))}, nil
}

// findCode finds the device that waits under a user code. A source that tries too many codes that are nobody's is not
// answered for a while.
func (s *Service) findCode(ctx context.Context, typed string) (*deviceRow, *answer, error) {
	source := caller.RequestFrom(ctx).Network()
	if s.limits.codes.full(source) {
		return nil, nil, refuse(http.StatusTooManyRequests, "Too many wrong codes", "Wait ten minutes and try again.", errors.New("the source tried too many user codes"))
	}
	code, ok := readUserCode(typed)
	var d deviceRow
	if ok {
		err := s.db.View(ctx, func(q store.Querier) (err error) {
			d, err = readDeviceByUserCode(ctx, q, code)
			return err
		})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, nil, fmt.Errorf("find device sign-in: %w", err)
		}
		ok = err == nil && d.state == statePending && s.db.Now().Before(d.expires)
	}
	if !ok {
		s.limits.codes.take(source)
		trail.From(ctx).Step("user code", trail.Fail, "no device waits under it")
		return nil, &answer{status: http.StatusBadRequest, page: "device", view: codeForm{
			frame: s.frame("Sign in on a device"), Problem: "No device waits under this code. Codes are good for ten minutes and serve once.",
		}}, nil
	}
	return &d, nil, nil
}

// askAboutDevice shows what the person is about to allow: which client, under which code, for whom, and where the code was
// asked for.
func (s *Service) askAboutDevice(ctx context.Context, r *http.Request, d *deviceRow) (*answer, error) {
	i, ok := s.center.Instance(d.instance)
	if !ok {
		return nil, refuse(http.StatusNotFound, "There is no sign-in here", "The identity center is gone.", errors.New("the instance of the device sign-in is gone"))
	}
	code := spellUserCode(d.userCode)
	b, err := s.freshBrowser(ctx, r, i)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return s.signIn(ctx, r, i.ARN, devicePath+"?user_code="+url.QueryEscape(code))
	}
	t, err := s.sealed(placeTicket, ticket{Kind: "device", Session: b.hash, Subject: d.userCode, Expires: s.db.Now().Add(flowTime).Unix()})
	if err != nil {
		return nil, err
	}
	noteDevice(ctx, d)
	noteOutcome(trail.From(ctx), "asked the person")
	return &answer{page: "confirm", view: question{
		frame: s.frame("Allow this device?"), Client: d.name, Person: shown(b.person), Code: code, Source: d.source, Since: d.created.UTC().Format("15:04 UTC"), Ticket: t,
	}}, nil
}

// decideDevice takes the person's answer.
func (s *Service) decideDevice(ctx context.Context, r *http.Request) (*answer, error) {
	b, err := s.browserOf(ctx, r)
	if err != nil {
		return nil, err
	}
	t, err := s.openTicket(r, "device", b)
	if err != nil {
		return nil, err
	}
	s.noteBrowser(ctx, b)
	state, heading, text := stateDenied, "Not allowed", "The device was told that you refused."
	if r.PostForm.Get("answer") == "allow" {
		state, heading, text = stateApproved, "Signed in", "The device goes on by itself. You can close this page."
	}
	decided := false
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		decided = false
		d, err := readDeviceByUserCode(ctx, tx, t.Subject)
		if errors.Is(err, store.ErrNotFound) || err == nil && d.instance != b.instance.ARN {
			return nil
		}
		if err != nil {
			return err
		}
		noteDevice(ctx, &d)
		decided, err = decideDevice(ctx, tx, &d, s.db.Now(), state, b.person.ID, b.signedIn)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("decide device sign-in: %w", err)
	}
	if !decided {
		return nil, refuse(http.StatusBadRequest, "This code is no longer open", "It has expired or was answered before. Start again on the device.", errors.New("the device does not wait any more"))
	}
	trail.From(ctx).Step("person", trail.Pass, state+" the device")
	noteOutcome(trail.From(ctx), state)
	return &answer{page: "notice", view: notice{frame: s.frame(heading), Text: text}}, nil
}

// noteDevice adds the device to the record.
func noteDevice(ctx context.Context, d *deviceRow) {
	trail.From(ctx).Parameters(map[string]any{"clientName": d.name, "scope": strings.Join(d.scopes, " "), "deviceAddress": d.source})
}
