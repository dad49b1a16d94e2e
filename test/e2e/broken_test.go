package e2e

import (
	"context"
	"crypto/md5" //nolint:gosec // entity tags
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/lakegate/lakegate/internal/storage/storagetest"
)

// keeper is where objects are in the end: a real server of S3, asked without the gate, or the folder of the embedded storage.
type keeper struct {
	name string
	// torn says that it keeps of a part what came of it, as a part of the whole length; see docs/backends.md.
	torn   bool
	attach func(t *testing.T, gate *process) *keeper
	// list is the keys of the objects that are there, and get the content of one.
	list func() []string
	get  func(key string) string
}

// keepers are the storages that the broken uploads are tried on.
func keepers() []*keeper {
	remote := func(peer func(testing.TB) storagetest.Peer, how ...string) func(*testing.T, *process) *keeper {
		return func(t *testing.T, gate *process) *keeper {
			t.Helper()
			p := peer(t)
			gate.backend("store", p.Endpoint, p.AccessKeyID, p.SecretAccessKey, how...)
			gate.as(tenantsAccount).run("s3api", "create-bucket", "--bucket", "lake", "--create-bucket-configuration", "LocationConstraint=store")
			direct := storageAt(p.Endpoint, credentials{AccessKeyId: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey})
			return &keeper{
				list: func() []string {
					out, err := direct.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: aws.String("lake")})
					if err != nil {
						t.Fatal(err)
					}
					var keys []string
					for _, o := range out.Contents {
						keys = append(keys, *o.Key)
					}
					return keys
				},
				get: func(key string) string {
					out, err := direct.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: &key})
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = out.Body.Close() }()
					text, err := io.ReadAll(out.Body)
					if err != nil {
						t.Fatal(err)
					}
					return string(text)
				},
			}
		}
	}
	embedded := func(t *testing.T, gate *process) *keeper {
		t.Helper()
		gate.as(tenantsAccount).run("s3api", "create-bucket", "--bucket", "lake")
		folder := filepath.Join(gate.dir, "storage", "objects", "lake")
		return &keeper{
			list: func() []string {
				var keys []string
				err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
					if err != nil {
						return err
					}
					if d.IsDir() && d.Name() == ".sgwtmp" { // what is staged is no object
						return filepath.SkipDir
					}
					if !d.IsDir() {
						key, _ := filepath.Rel(folder, path)
						keys = append(keys, key)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				return keys
			},
			get: func(key string) string {
				text, err := os.ReadFile(filepath.Join(folder, key))
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			},
		}
	}
	return []*keeper{
		{name: "embedded", attach: embedded},
		{name: "versitygw", torn: true, attach: remote(storagetest.VersityGW)},
		{name: "rclone", attach: remote(storagetest.Rclone, "--checksums", "gate", "--no-trailers")},
	}
}

// breakages are uploads that end before they should. text is what of the request is sent.
func breakages(a *attacker, key, query, content string) map[string]string {
	head := func(payload string, more ...string) (string, string) {
		return a.head("PUT", "/lake/"+key+query, payload, more...)
	}
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n", n) }
	plain, _ := head(unsignedPayload)
	plain += length(len(content))
	decoded := fmt.Sprintf("X-Amz-Decoded-Content-Length: %d", len(content))
	chunked, seed := head(signedChunks, decoded)
	half := len(content) / 2
	first, seed := a.chunk(seed, content[:half])
	second, seed := a.chunk(seed, content[half:])
	last, _ := a.chunk(seed, "")
	chunked += length(len(first) + len(second) + len(last))
	trailing, _ := head(unsignedTrailing, decoded, "X-Amz-Trailer: x-amz-checksum-crc32")
	body := fmt.Sprintf("%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n", len(content), content, crcOf("another content"))
	hashed, _ := head(strings.Repeat("0", 64))
	return map[string]string{
		"nothing of it":                    plain,
		"the first byte":                   plain + content[:1],
		"half of it":                       plain + content[:half],
		"all but the last byte":            plain + content[:len(content)-1],
		"one signed chunk of two":          chunked + first,
		"all but the last, empty chunk":    chunked + first + second,
		"a trailer of another content":     trailing + length(len(body)) + body,
		"a trailer that breaks off":        trailing + length(len(body)) + body[:len(body)-10],
		"all of it under another's digest": hashed + length(len(content)) + content,
	}
}

// TestBrokenUploadsAreNoObjects breaks uploads off in each way that there is, over nothing and over an object, through the
// gate to each storage, and then asks the storage itself: there is nothing, and the object is what it was.
func TestBrokenUploadsAreNoObjects(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 32<<10) // 512 KiB: more than is held on the way
	for _, k := range keepers() {
		t.Run(k.name, func(t *testing.T) {
			gate, users := tenants(t, "{}\n", "alice")
			at := k.attach(t, gate)
			alice := users[0]
			alice.put("lake", "kept/object", []byte("as it was"))
			key, err := alice.s3.Options().Credentials.Retrieve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			a := &attacker{t: t, address: gate.API, key: credentials{AccessKeyId: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey}}
			unharmed := func(t *testing.T) {
				t.Helper()
				if got := at.list(); !slices.Equal(got, []string{"kept/object"}) {
					t.Errorf("the storage has %q", got)
				}
				if got := at.get("kept/object"); got != "as it was" {
					t.Errorf("the object is %d bytes now", len(got))
				}
			}
			for _, target := range []string{"new/object", "kept/object"} {
				for name, text := range breakages(a, target, "", content) {
					t.Run(target+" ends after "+name, func(t *testing.T) {
						a.breakOff(t, text)
						unharmed(t)
					})
				}
			}
			t.Run("resets", func(t *testing.T) {
				refused := func() int {
					return len(gate.records(func(r record) bool { return r.EventName == "PutObject" && r.ErrorCode != "" }))
				}
				before, sent := refused(), 0
				for _, target := range []string{"new/object", "kept/object"} {
					for name, text := range breakages(a, target, "", content) {
						if strings.HasPrefix(name, "all of it") || strings.HasPrefix(name, "a trailer of") {
							continue // they have come whole when the connection goes, and may be read or not
						}
						w := dial(t, a.address)
						w.say(text)
						_ = w.SetLinger(0) // a reset instead of an end
						_ = w.Close()
						sent++
					}
				}
				until(t, "each has its record", func() bool { return refused() >= before+sent })
				unharmed(t)
			})
			t.Run("parts", func(t *testing.T) {
				sum := md5.Sum([]byte(content)) //nolint:gosec // an entity tag
				tag := `"` + hex.EncodeToString(sum[:]) + `"`
				for name := range breakages(a, "new/parts", "", content) {
					if strings.HasPrefix(name, "all of it") || strings.HasPrefix(name, "a trailer of") || strings.HasPrefix(name, "all but the last, empty") {
						if k.torn {
							continue // all of the content is there
						}
					}
					up, err := alice.s3.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("lake"), Key: aws.String("new/parts")})
					if err != nil {
						t.Fatal(err)
					}
					a.breakOff(t, breakages(a, "new/parts", "?partNumber=1&uploadId="+*up.UploadId, content)[name])
					parts, err := alice.s3.ListParts(t.Context(), &s3.ListPartsInput{Bucket: aws.String("lake"), Key: aws.String("new/parts"), UploadId: up.UploadId})
					if err != nil {
						t.Fatal(err)
					}
					if len(parts.Parts) != 0 && !k.torn {
						t.Errorf("%s made a part of %d bytes", name, *parts.Parts[0].Size)
					}
					// Whoever sent it knows what its entity tag would be.
					_, err = alice.s3.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: aws.String("lake"), Key: aws.String("new/parts"), UploadId: up.UploadId,
						MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: &tag}}}})
					if codeOf(err) != "InvalidPart" {
						t.Errorf("the end of an upload after %s: %v", name, err)
					}
					if _, err := alice.s3.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: aws.String("lake"), Key: aws.String("new/parts"), UploadId: up.UploadId}); err != nil && codeOf(err) != "NoSuchUpload" { // rclone ends an upload that cannot be completed
						t.Fatal(err)
					}
				}
				unharmed(t)
			})
			t.Run("the gate is killed", func(t *testing.T) {
				for _, target := range []string{"new/killed", "kept/object"} {
					var lines []*wire
					for _, name := range []string{"half of it", "all but the last byte", "one signed chunk of two"} {
						w := dial(t, gate.API)
						w.say(breakages(a, target, "", content)[name])
						lines = append(lines, w)
					}
					// A request that is answered after them was read after them.
					if _, err := alice.get("lake", "kept/object"); err != nil {
						t.Fatal(err)
					}
					gate.kill()
					for _, w := range lines {
						_ = w.Close()
					}
					unharmed(t)
					gate.launch()
					unharmed(t)
					a.address = gate.API
					alice.s3 = s3.New(alice.s3.Options(), func(o *s3.Options) { o.BaseEndpoint = aws.String("http://" + gate.API) })
				}
				if got, err := alice.get("lake", "kept/object"); err != nil || string(got) != "as it was" {
					t.Errorf("through the gate: %q, %v", got, err)
				}
			})
		})
	}
}

// breakOff sends text and goes away, and waits until the gate is through with it.
func (a *attacker) breakOff(t *testing.T, text string) {
	t.Helper()
	w := dial(t, a.address)
	_ = w.SetDeadline(time.Now().Add(30 * time.Second))
	w.say(text)
	_ = w.CloseWrite()
	if status, code := w.answer(); status < 400 && status != 0 || status == http.StatusInternalServerError {
		t.Errorf("answered %d %s", status, code)
	}
	_ = w.Close()
}
