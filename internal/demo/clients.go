package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/smithy-go"
)

// Key is a long-term access key of an account's administrator.
type Key struct{ ID, Secret string }

// account is the clients of one account's administrator.
type account struct {
	id        string
	org       *organizations.Client
	iam       *iam.Client
	center    *ssoadmin.Client
	directory *identitystore.Client
	control   *s3control.Client
	s3        *s3.Client
}

// controlName is the host that clients of s3control are given: they put the account's id before it and reach the server
// through its API door as their proxy, so the name has to resolve nowhere.
const controlName = "http://lakegate.internal"

func newAccount(id, endpoint, region string, key Key) (*account, error) {
	proxy, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("parse endpoint: %w", err)
	}
	cfg := aws.Config{
		Region:       region,
		Credentials:  credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""),
		BaseEndpoint: aws.String(endpoint),
		HTTPClient:   &http.Client{Timeout: 30 * time.Second},
	}
	control := cfg.Copy()
	control.BaseEndpoint = aws.String(controlName)
	control.HTTPClient = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
	return &account{
		id:        id,
		org:       organizations.NewFromConfig(cfg),
		iam:       iam.NewFromConfig(cfg),
		center:    ssoadmin.NewFromConfig(cfg),
		directory: identitystore.NewFromConfig(cfg),
		control:   s3control.NewFromConfig(control),
		s3:        s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
	}, nil
}

// already reports whether an error says, with one of the codes, that the work was done before.
func already(err error, codes ...string) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	for _, c := range codes {
		if api.ErrorCode() == c {
			return true
		}
	}
	return false
}

// step is one part of the seeding, named for the error that it may end with.
type step struct {
	what string
	do   func(ctx context.Context) error
}

func run(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}
