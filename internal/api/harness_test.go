package api_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/api/iam"
	"github.com/lakegate/lakegate/internal/api/identitystore"
	"github.com/lakegate/lakegate/internal/api/lakegate"
	"github.com/lakegate/lakegate/internal/api/organizations"
	"github.com/lakegate/lakegate/internal/api/s3control"
	"github.com/lakegate/lakegate/internal/api/sso"
	"github.com/lakegate/lakegate/internal/api/ssoadmin"
	"github.com/lakegate/lakegate/internal/api/ssooidc"
	"github.com/lakegate/lakegate/internal/api/sts"
	"github.com/lakegate/lakegate/internal/wire"
)

// implementations are what the services under test are made of; a nil one has no operation implemented.
type implementations struct {
	cloudtrail, iam, identitystore, lakegate, organizations, s3control, sso, ssoadmin, ssooidc, sts any
}

func (i implementations) mux() *wire.Mux {
	var m wire.Mux
	m.Mount(cloudtrail.Model, cloudtrail.Operations(i.cloudtrail))
	m.Mount(iam.Model, iam.Operations(i.iam))
	m.Mount(identitystore.Model, identitystore.Operations(i.identitystore))
	m.Mount(lakegate.Model, lakegate.Operations(i.lakegate))
	m.Mount(organizations.Model, organizations.Operations(i.organizations))
	m.Mount(s3control.Model, s3control.Operations(i.s3control))
	m.Mount(sso.Model, sso.Operations(i.sso))
	m.Mount(ssoadmin.Model, ssoadmin.Operations(i.ssoadmin))
	m.Mount(ssooidc.Model, ssooidc.Operations(i.ssooidc))
	m.Mount(sts.Model, sts.Operations(i.sts))
	return &m
}

// serve answers a request as the server does, but for signatures, which are held elsewhere.
func serve(m *wire.Mux, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	call, ok := m.Name(r, body, scope(r))
	if !ok {
		http.Error(w, "for none of the services", http.StatusNotFound)
		return
	}
	const requestID = "0d7a6f9e-0000-4000-8000-000000000001"
	in, err := call.Decode(r, body)
	var out any
	if err == nil {
		out, err = call.Invoke(r.Context(), in)
	}
	if err != nil {
		call.WriteError(w, requestID, err)
		return
	}
	// An error of writing is the client's to see.
	_ = call.WriteOutput(w, requestID, out)
}

// scope is the service that a request was signed for.
func scope(r *http.Request) string {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if parts := strings.Split(credential, "/"); len(parts) > 3 {
		return parts[3]
	}
	return ""
}

// client is the configuration of the SDK's clients for a server of the implementations. Whatever host they address, such as
// that with an account's label of s3control, they reach it. The count is of the requests that arrived.
func client(t *testing.T, i implementations) (aws.Config, *atomic.Int64) {
	t.Helper()
	m := i.mux()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		serve(m, w, r)
	}))
	t.Cleanup(server.Close)
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return aws.Config{
		Region:           "us-east-1",
		BaseEndpoint:     aws.String("http://lakegate.internal"),
		Credentials:      credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "not-a-secret", ""),
		HTTPClient:       &http.Client{Transport: transport},
		RetryMaxAttempts: 1,
	}, &requests
}
