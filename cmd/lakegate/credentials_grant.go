package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/smithy-go"
)

// grantCredentials are those of an access grant, asked for as the session of the permission set. They carry the person.
func (c *credentialsCommand) grantCredentials(ctx context.Context, s *streams, signIn *signIn, role *processCredentials) (*processCredentials, error) {
	key := []string{"grant", c.SSOSession, c.Endpoint, c.Account, c.Role, c.GrantAccount, c.Grant, c.Permission, fmt.Sprint(c.Minimal), c.Duration.String()}
	return c.cached(s, key, signIn, func() (*processCredentials, error) {
		at, err := url.Parse(signIn.endpoint)
		if err != nil {
			return nil, fmt.Errorf("parse endpoint: %w", err)
		}
		client := awsHTTP()
		client.Transport = toDoor{at.Host, http.DefaultTransport}
		api := s3control.New(s3control.Options{
			Region: signIn.token.Region, BaseEndpoint: &signIn.endpoint, HTTPClient: client,
			Credentials: credentials.NewStaticCredentialsProvider(role.AccessKeyID, role.SecretAccessKey, role.SessionToken),
		})
		in := &s3control.GetDataAccessInput{AccountId: &c.GrantAccount, Target: &c.Grant, Permission: types.Permission(c.Permission)}
		if c.Minimal {
			in.Privilege = types.PrivilegeMinimal
		}
		if c.Duration != 0 {
			in.DurationSeconds = aws.Int32(int32(c.Duration / time.Second))
		}
		out, err := api.GetDataAccess(ctx, in)
		if err != nil {
			return nil, explained("get data access", err)
		}
		r := out.Credentials
		if r == nil || r.Expiration == nil {
			return nil, errors.New("get data access: the answer has no credentials")
		}
		return &processCredentials{
			Version: 1, AccessKeyID: aws.ToString(r.AccessKeyId), SecretAccessKey: aws.ToString(r.SecretAccessKey), SessionToken: aws.ToString(r.SessionToken),
			Expiration: r.Expiration.UTC(),
		}, nil
	})
}

// toDoor leads requests to the door whatever host they name: clients of s3control put the account before the endpoint's
// name, which resolves nowhere. The name stays in the request, as it was signed.
type toDoor struct {
	host string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t toDoor) RoundTrip(r *http.Request) (*http.Response, error) {
	led := r.Clone(r.Context())
	if led.Host == "" {
		led.Host = r.URL.Host
	}
	led.URL.Host = t.host
	return t.next.RoundTrip(led)
}

// codeOf is the code of a service's error, "" for others.
func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}
