package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/lakegate/lakegate/internal/server"
)

// client calls the server's own operations, those that AWS has no name for.
type client struct {
	endpoint, region string
	credentials      aws.Credentials
	// gaps may be nil: then nobody is told.
	gaps *gaps
}

// administrator are an account's administrator's credentials.
func administrator(dir, account string) (aws.Credentials, error) {
	p, err := server.ReadCredentials(dir, account)
	return aws.Credentials{AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey}, err
}

// clientOf finds the running server of a directory, and is an administrator there.
func clientOf(dir, account string) (*client, error) {
	key, err := administrator(dir, account)
	if err != nil {
		return nil, err
	}
	addresses, err := server.ReadAddresses(dir)
	if err != nil {
		return nil, err
	}
	region, _, err := server.ReadPlace(dir)
	if err != nil {
		return nil, err
	}
	return &client{endpoint: "http://" + addresses.API, region: region, credentials: key}, nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 8 << 20

// call asks for one of the server's own operations.
func (c *client) call(ctx context.Context, operation string, in, out any) error {
	return c.callService(ctx, "lakegate", "Lakegate."+operation, in, out)
}

// callService makes a signed request in AWS's JSON protocol. The operation is as X-Amz-Target names it.
func (c *client) callService(ctx context.Context, service, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode %s: %w", operation, err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("call %s: %w", operation, err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", operation)
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, c.credentials, req, hex.EncodeToString(sum[:]), service, c.region, time.Now()); err != nil {
		return fmt.Errorf("sign %s: %w", operation, err)
	}
	// The server is on this machine or named by the directory: proxies of the environment are for other traffic.
	resp, err := (&http.Client{Transport: &http.Transport{Proxy: nil}}).Do(req)
	if err != nil {
		return fmt.Errorf("call %s: %w", operation, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer to %s: %w", operation, err)
	}
	if resp.StatusCode != http.StatusOK {
		var e struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		if json.Unmarshal(text, &e) == nil && e.Type != "" {
			return fmt.Errorf("%s: %s: %s (request id %s)", operation, e.Type, e.Message, resp.Header.Get("X-Amzn-Requestid"))
		}
		return fmt.Errorf("%s: %s", operation, resp.Status)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("read answer to %s: %w", operation, err)
	}
	return nil
}
