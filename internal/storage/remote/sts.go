package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/lakegate/lakegate/internal/sigv4"
)

// AssumeRole asks the service's own STS for credentials of a role there, bounded by a session policy.
type AssumeRole struct {
	RoleARN, SessionName string
	// Policy is at most MaxSessionPolicy characters.
	Policy   string
	Duration time.Duration
}

// What every STS takes at most as a session policy, and at least as a duration.
const (
	MaxSessionPolicy = 2048
	MinDuration      = 15 * time.Minute
)

// TemporaryCredentials are credentials of the service itself. Nothing here can end them before they expire.
type TemporaryCredentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}

// String hides them.
func (c TemporaryCredentials) String() string { return "temporary credentials " + c.AccessKeyID }

// GoString is String.
func (c TemporaryCredentials) GoString() string { return c.String() }

// HasSTS reports whether the service has an STS of its own that may be asked.
func (e *Endpoint) HasSTS() bool { return e.cfg.STSEndpoint != "" }

// AssumeRole asks for credentials. Only errors of the request's own making name a code of the service.
func (e *Endpoint) AssumeRole(ctx context.Context, in AssumeRole) (*TemporaryCredentials, error) {
	failed := func(why string) error { return fmt.Errorf("STS of backend %s: %s", e.cfg.Name, why) }
	if !e.HasSTS() {
		return nil, failed("it has none")
	}
	if len(in.Policy) > MaxSessionPolicy || in.Policy == "" || in.Duration < MinDuration {
		return nil, failed("the request is not one that an STS takes") // without its policy the session would reach all of the role
	}
	base, err := url.Parse(e.cfg.STSEndpoint)
	if err != nil {
		return nil, failed("its address is none")
	}
	form := url.Values{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {in.RoleARN}, "RoleSessionName": {in.SessionName}, "Policy": {in.Policy},
		"DurationSeconds": {strconv.FormatInt(int64(in.Duration/time.Second), 10)},
	}.Encode()
	ctx, cancel := context.WithTimeout(ctx, e.cfg.AnswerTimeout)
	defer cancel()
	base.Path = "/"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base.String(), bytes.NewReader([]byte(form)))
	if err != nil {
		return nil, failed("its address is none")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256([]byte(form))
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash) // some services verify all signatures as S3's
	signer := e.signer
	signer.Service, signer.Style = "sts", sigv4.Normal
	asked := e.now()
	if _, err := signer.Sign(r, hash, asked); err != nil {
		return nil, failed("the request cannot be signed")
	}
	res, err := e.general.RoundTrip(r)
	if err != nil {
		return nil, failed(explain(err))
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxErrorDocument))
	if err != nil {
		return nil, failed(explain(err))
	}
	if res.StatusCode != http.StatusOK {
		return nil, failed(fmt.Sprintf("status %d %s", res.StatusCode, stsCode(text)))
	}
	c, err := stsCredentials(text)
	if err != nil {
		return nil, failed("its answer cannot be read")
	}
	// Credentials that last longer than was asked for would outlive what they were given for.
	if c.Expires.After(asked.Add(in.Duration + time.Minute)) {
		return nil, failed("it gives credentials for longer than was asked for")
	}
	return c, nil
}

func stsCode(text []byte) (found string) {
	d := &document{b: text}
	_ = d.root(func(name string) error {
		if name != "Error" {
			return d.skip()
		}
		return d.each(func(name string) (err error) {
			if name != "Code" {
				return d.skip()
			}
			found, err = d.text()
			return err
		})
	}, "ErrorResponse")
	if !codePattern.MatchString(found) {
		return ""
	}
	return found
}

func stsCredentials(text []byte) (*TemporaryCredentials, error) {
	d := &document{b: text}
	c := &TemporaryCredentials{}
	var read func(name string) error
	read = func(name string) (err error) {
		switch name {
		case "AssumeRoleResult", "Credentials":
			return d.each(read)
		case "AccessKeyId":
			c.AccessKeyID, err = d.text()
		case "SecretAccessKey":
			c.SecretAccessKey, err = d.text()
		case "SessionToken":
			c.SessionToken, err = d.text()
		case "Expiration":
			var at string
			if at, err = d.text(); err == nil {
				c.Expires, err = timestamp(at)
			}
		default:
			err = d.skip()
		}
		return err
	}
	if err := d.root(read, "AssumeRoleResponse"); err != nil {
		return nil, err
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" || c.SessionToken == "" || c.Expires.IsZero() {
		return nil, errors.New("the credentials are not whole")
	}
	return c, nil
}
