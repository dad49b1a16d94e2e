package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

type backendCommand struct {
	Create backendCreateCommand `cmd:"" help:"Make an S3 service known, so that buckets can be kept there."`
	List   backendListCommand   `cmd:"" help:"List the backends and how they are doing."`
	Show   backendShowCommand   `cmd:"" help:"Show a backend without its secrets, as JSON."`
	Update backendUpdateCommand `cmd:"" help:"Change a backend; new credentials take effect at once."`
	Delete backendDeleteCommand `cmd:"" help:"Forget a backend that no bucket is on."`
	Test   backendTestCommand   `cmd:"" help:"Ask a backend for what the gate needs of it, and say what is wrong."`
}

// backendSettings are the flags of create and update.
type backendSettings struct {
	Region             string   `help:"The Region that its requests are signed for; us-east-1 by default."`
	Addressing         string   `enum:"path,virtual-host," default:"" help:"Where the bucket is named: path (the default) or virtual-host."`
	AccessKeyID        string   `help:"The access key id that the gate has there."`
	SecretAccessKey    string   `placeholder:"REFERENCE" help:"Where its secret is: file:PATH, env:NAME, or - for the standard input. The secret itself has no place on a command line."`
	SessionToken       string   `placeholder:"REFERENCE" help:"Where a session token is, if there is one."`
	STSEndpoint        string   `name:"sts-endpoint" help:"Where its own STS is, for locations that hand out its credentials (lakegate:Vending=direct)."`
	CAFile             string   `help:"Certificates (PEM) that the service's must be signed by; those of the system by default." type:"existingfile"`
	ClientCertificate  string   `help:"A certificate (PEM) to show to the service." type:"existingfile"`
	ClientKey          string   `help:"The key of that certificate (PEM)." type:"existingfile"`
	InsecureSkipVerify *bool    `help:"Take any certificate: whoever is between then reads and changes everything."`
	Checksums          string   `enum:"backend,gate," default:"" help:"Who verifies checksums of uploads: backend (the default) or gate."`
	NoTrailers         *bool    `help:"Send no checksums after the content, for services that do not understand them."`
	MaxConnections     int      `help:"Connections at once; 256 by default."`
	NewBuckets         string   `placeholder:"TEMPLATE" help:"Where a bucket goes that is created here: {bucket} (the default), or such as lake/{bucket}/ for prefixes of one bucket there."`
	Accounts           []string `help:"The accounts that may create buckets there; every account by default."`
}

// input is the settings as the operations take them. Only what was given is in it.
func (b *backendSettings) input(s *streams) (map[string]any, error) {
	in := map[string]any{}
	text := func(name, value string) {
		if value != "" {
			in[name] = value
		}
	}
	text("Region", b.Region)
	text("Addressing", strings.ToUpper(strings.ReplaceAll(b.Addressing, "-", "_")))
	text("AccessKeyId", b.AccessKeyID)
	text("Checksums", strings.ToUpper(b.Checksums))
	text("NewBuckets", b.NewBuckets)
	text("StsEndpoint", b.STSEndpoint)
	if b.InsecureSkipVerify != nil {
		in["InsecureSkipVerify"] = *b.InsecureSkipVerify
	}
	if b.NoTrailers != nil {
		in["NoTrailers"] = *b.NoTrailers
	}
	if b.MaxConnections != 0 {
		in["MaxConnections"] = b.MaxConnections
	}
	if b.Accounts != nil {
		in["Accounts"] = b.Accounts
	}
	for name, path := range map[string]string{"CaCertificates": b.CAFile, "ClientCertificate": b.ClientCertificate, "ClientKey": b.ClientKey} {
		if path == "" {
			continue
		}
		raw, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		in[name] = string(raw)
	}
	for name, ref := range map[string]string{"SecretAccessKey": b.SecretAccessKey, "SessionToken": b.SessionToken} {
		if ref == "" {
			continue
		}
		secret, err := referred(ref, s)
		if err != nil {
			return nil, err
		}
		in[name] = secret
	}
	return in, nil
}

// referred reads a secret from where a reference says that it is.
func referred(ref string, s *streams) (string, error) {
	scheme, name, _ := strings.Cut(ref, ":")
	var text string
	switch {
	case ref == "-":
		raw, err := io.ReadAll(io.LimitReader(os.Stdin, 64<<10))
		if err != nil {
			return "", fmt.Errorf("read the standard input: %w", err)
		}
		text = string(raw)
	case scheme == "file":
		raw, err := os.ReadFile(name) //nolint:gosec // the operator names the file
		if err != nil {
			return "", fmt.Errorf("read secret: %w", err)
		}
		text = string(raw)
	case scheme == "env":
		text = s.getenv(name)
	default:
		return "", errors.New("a secret is given as file:PATH, env:NAME or -, not by itself")
	}
	if text = strings.TrimRight(text, "\r\n"); text == "" {
		return "", fmt.Errorf("%s is empty", ref)
	}
	return text, nil
}

type backendCreateCommand struct {
	Name     string `arg:"" help:"What it is to be called: lower-case letters, digits and hyphens."`
	Dir      string `required:"" help:"The directory of the running server."`
	Endpoint string `required:"" help:"Its address: https://host[:port]."`
	backendSettings
}

func (c *backendCreateCommand) Run(ctx context.Context, s *streams) error {
	in, err := c.input(s)
	if err != nil {
		return err
	}
	if in["AccessKeyId"] == nil || in["SecretAccessKey"] == nil {
		return errors.New("give --access-key-id and --secret-access-key")
	}
	in["Name"], in["Endpoint"] = c.Name, c.Endpoint
	server, err := clientOf(c.Dir, "")
	if err != nil {
		return err
	}
	if err := server.call(ctx, "CreateBackend", in, &struct{}{}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "backend %s is made. lakegate backend test %s --dir %s tells whether it works.\n", c.Name, c.Name, plain(c.Dir))
	return err
}

type backendUpdateCommand struct {
	Name     string `arg:"" help:"The backend."`
	Dir      string `required:"" help:"The directory of the running server."`
	Endpoint string `help:"Its new address. The buckets on it must be there as well."`
	backendSettings
}

func (c *backendUpdateCommand) Run(ctx context.Context, s *streams) error {
	in, err := c.input(s)
	if err != nil {
		return err
	}
	in["Name"] = c.Name
	if c.Endpoint != "" {
		in["Endpoint"] = c.Endpoint
	}
	if len(in) == 1 {
		return errors.New("say what to change")
	}
	server, err := clientOf(c.Dir, "")
	if err != nil {
		return err
	}
	return server.call(ctx, "UpdateBackend", in, &struct{}{})
}

type backendShowCommand struct {
	Name string `arg:"" help:"The backend."`
	Dir  string `required:"" help:"The directory of the running server."`
}

func (c *backendShowCommand) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, "")
	if err != nil {
		return err
	}
	var out struct{ Backend json.RawMessage }
	if err := server.call(ctx, "GetBackend", map[string]any{"Name": c.Name}, &out); err != nil {
		return err
	}
	encoder := json.NewEncoder(s.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out.Backend)
}

type backendListCommand struct {
	Dir  string `required:"" help:"The directory of the running server."`
	JSON bool   `help:"Print the answers as they are, a line each."`
}

func (c *backendListCommand) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, "")
	if err != nil {
		return err
	}
	var out struct{ Backends []json.RawMessage }
	if err := server.call(ctx, "ListBackends", map[string]any{}, &out); err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if !c.JSON {
		_, _ = fmt.Fprintln(w, "BACKEND\tENDPOINT\tSTATE\tBUCKETS\tNEW BUCKETS\tFROM")
	}
	for _, raw := range out.Backends {
		if c.JSON {
			_, _ = fmt.Fprintf(s.out, "%s\n", raw)
			continue
		}
		var b struct {
			Name, Endpoint, NewBuckets, Source, Cause string
			Up, Default                               bool
			BucketCount                               int
		}
		if err := json.Unmarshal(raw, &b); err != nil {
			return fmt.Errorf("read backend: %w", err)
		}
		state := "up"
		if !b.Up {
			state = "down: " + b.Cause
		}
		if b.Default {
			b.Name += " (default)"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", b.Name, plain(b.Endpoint), plain(state), b.BucketCount, plain(b.NewBuckets), strings.ToLower(b.Source))
	}
	return w.Flush()
}

type backendDeleteCommand struct {
	Name string `arg:"" help:"The backend."`
	Dir  string `required:"" help:"The directory of the running server."`
}

func (c *backendDeleteCommand) Run(ctx context.Context, _ *streams) error {
	server, err := clientOf(c.Dir, "")
	if err != nil {
		return err
	}
	return server.call(ctx, "DeleteBackend", map[string]any{"Name": c.Name}, &struct{}{})
}

type backendTestCommand struct {
	Name   string `arg:"" help:"The backend."`
	Dir    string `required:"" help:"The directory of the running server."`
	Bucket string `help:"A bucket there in which to try listing, writing, reading and deleting."`
	Prefix string `help:"A prefix in that bucket, ending in a slash."`
}

func (c *backendTestCommand) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, "")
	if err != nil {
		return err
	}
	in := map[string]any{"Name": c.Name}
	if c.Bucket != "" {
		in["RemoteBucket"] = c.Bucket
	}
	if c.Prefix != "" {
		in["RemotePrefix"] = c.Prefix
	}
	var out struct {
		Healthy bool
		Problem string
		Steps   []struct{ Step, Outcome, Detail string }
	}
	if err := server.call(ctx, "TestBackend", in, &out); err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, x := range out.Steps {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", plain(x.Outcome), plain(x.Step), plain(x.Detail))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !out.Healthy {
		return errors.New(out.Problem)
	}
	if c.Bucket == "" {
		_, err = fmt.Fprintln(s.out, "The backend is reached. Give --bucket to try objects.")
		return err
	}
	_, err = fmt.Fprintln(s.out, "The backend works.")
	return err
}

type bucketCommand struct {
	Attach bucketAttachCommand `cmd:"" help:"Make a bucket of what is at a backend already."`
	Detach bucketDetachCommand `cmd:"" help:"Forget a bucket that was attached; its objects stay where they are."`
	List   bucketListCommand   `cmd:"" help:"List all buckets with their account and where they are."`
}

type bucketAttachCommand struct {
	Name         string `arg:"" help:"What the bucket is called here."`
	Dir          string `required:"" help:"The directory of the running server."`
	Backend      string `required:"" help:"The backend that it is at."`
	RemoteBucket string `help:"The bucket there; of the same name by default."`
	RemotePrefix string `help:"A prefix in that bucket, ending in a slash; the whole bucket by default."`
	Account      string `help:"The account that owns the bucket here; the management account by default."`
}

func (c *bucketAttachCommand) Run(ctx context.Context, _ *streams) error {
	server, err := clientOf(c.Dir, "")
	if err != nil {
		return err
	}
	in := map[string]any{"BucketName": c.Name, "BackendName": c.Backend, "RemoteBucket": c.RemoteBucket}
	if c.RemoteBucket == "" {
		in["RemoteBucket"] = c.Name
	}
	if c.RemotePrefix != "" {
		in["RemotePrefix"] = c.RemotePrefix
	}
	if c.Account != "" {
		in["AccountId"] = c.Account
	}
	return server.call(ctx, "AttachBucket", in, &struct{}{})
}

type bucketDetachCommand struct {
	Name string `arg:"" help:"The bucket."`
	Dir  string `required:"" help:"The directory of the running server."`
}

func (c *bucketDetachCommand) Run(ctx context.Context, _ *streams) error {
	server, err := clientOf(c.Dir, "")
	if err != nil {
		return err
	}
	return server.call(ctx, "DetachBucket", map[string]any{"BucketName": c.Name}, &struct{}{})
}

type bucketListCommand struct {
	Dir     string `required:"" help:"The directory of the running server."`
	Backend string `help:"Only those at this backend."`
	JSON    bool   `help:"Print the answers as they are, a line each."`
}

func (c *bucketListCommand) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, "")
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if !c.JSON {
		_, _ = fmt.Fprintln(w, "BUCKET\tACCOUNT\tBACKEND\tTHERE\tATTACHED")
	}
	in := map[string]any{}
	if c.Backend != "" {
		in["BackendName"] = c.Backend
	}
	for {
		var page struct {
			Places    []json.RawMessage
			NextToken string
		}
		if err := server.call(ctx, "ListBucketPlaces", in, &page); err != nil {
			return err
		}
		for _, raw := range page.Places {
			if c.JSON {
				_, _ = fmt.Fprintf(s.out, "%s\n", raw)
				continue
			}
			var p struct {
				BucketName                              string
				AccountID                               string `json:"AccountId"`
				BackendName, RemoteBucket, RemotePrefix string
				Attached                                bool
			}
			if err := json.Unmarshal(raw, &p); err != nil {
				return fmt.Errorf("read bucket: %w", err)
			}
			if p.BackendName == "" {
				p.BackendName, p.RemoteBucket = "(embedded)", "-"
			} else if p.RemotePrefix != "" {
				p.RemoteBucket += "/" + p.RemotePrefix
			}
			attached := "no"
			if p.Attached {
				attached = "yes"
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.BucketName, p.AccountID, p.BackendName, plain(p.RemoteBucket), attached)
		}
		if page.NextToken == "" {
			return w.Flush()
		}
		in["NextToken"] = page.NextToken
	}
}
