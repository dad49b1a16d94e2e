package storage

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // Content-MD5 is what S3 clients send
	"crypto/sha1" //nolint:gosec // one of S3's checksums
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/zeebo/xxh3"
)

// newHash makes the hash of an algorithm, or nil.
func newHash(a ChecksumAlgorithm) hash.Hash {
	switch a {
	case CRC32:
		return crc32.NewIEEE()
	case CRC32C:
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case CRC64NVME:
		return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5))
	case SHA1:
		return sha1.New() //nolint:gosec // see import
	case SHA256:
		return sha256.New()
	case SHA512:
		return sha512.New()
	case MD5:
		return md5.New() //nolint:gosec // see import
	case XXHASH64:
		return xxhash.New()
	case XXHASH3:
		return xxh3.New()
	case XXHASH128:
		return xxh3.New128()
	}
	return nil
}

// upload reads a client's body and lets its end through only when the body has proved to be what was announced. The
// library copies from it and publishes after the end; an error here is the end of the request.
type upload struct {
	body     Body
	left     int64
	sum      hash.Hash // of body.Checksum, or nil
	md5      hash.Hash // of body.ContentMD5, or nil
	verified bool
}

func newUpload(b Body) (*upload, error) {
	u := &upload{body: b, left: b.Size}
	switch {
	case b.Size < 0:
		return nil, refuse("MissingContentLength", http.StatusLengthRequired, "You must provide the Content-Length HTTP header.")
	case b.Size > MaxObjectSize:
		return nil, refuse("EntityTooLarge", http.StatusBadRequest, "Your proposed upload exceeds the maximum allowed size")
	}
	if b.Reader == nil {
		u.body.Reader = bytes.NewReader(nil)
	}
	if b.ContentMD5 != nil {
		if len(b.ContentMD5) != md5.Size {
			return nil, refuse("InvalidDigest", http.StatusBadRequest, "The Content-MD5 you specified is not valid.")
		}
		u.md5 = md5.New() //nolint:gosec // see import
	}
	if b.Checksum.Algorithm != "" {
		if u.sum = newHash(b.Checksum.Algorithm); u.sum == nil {
			return nil, invalidRequest("Checksum algorithm provided is unsupported.")
		}
		if v := b.Checksum.Value; v != "" && !isChecksum(v, u.sum.Size()) {
			return nil, invalidRequest("Value for x-amz-checksum-" + lower(b.Checksum.Algorithm) + " header is invalid.")
		}
	} else if b.Checksum.Value != "" || b.Trailer != nil {
		return nil, invalidRequest("A checksum was given without its algorithm.")
	}
	return u, nil
}

func isChecksum(value string, size int) bool {
	raw, err := base64.StdEncoding.Strict().DecodeString(value)
	return err == nil && len(raw) == size
}

func (u *upload) Read(p []byte) (int, error) {
	if u.left == 0 {
		return 0, u.end()
	}
	if int64(len(p)) > u.left {
		p = p[:u.left]
	}
	n, err := u.body.Reader.Read(p)
	u.left -= int64(n)
	if u.md5 != nil {
		_, _ = u.md5.Write(p[:n]) // a hash never fails
	}
	if u.sum != nil {
		_, _ = u.sum.Write(p[:n])
	}
	switch {
	case err == nil || errors.Is(err, io.EOF) && u.left == 0:
		return n, nil
	default:
		return n, broken(err)
	}
}

// end reads past the last byte, so that a reader that checks something of its own there (a chunk's signature) has its
// say, and compares what was promised with what came.
func (u *upload) end() error {
	if u.verified {
		return io.EOF
	}
	var one [1]byte
	for range 100 {
		n, err := u.body.Reader.Read(one[:])
		if n > 0 {
			return refuse("IncompleteBody", http.StatusBadRequest, "The request body is longer than the Content-Length header says.")
		}
		if errors.Is(err, io.EOF) {
			if err := u.compare(); err != nil {
				return err
			}
			u.verified = true
			return io.EOF
		}
		if err != nil {
			return broken(err)
		}
	}
	return broken(io.ErrNoProgress)
}

func (u *upload) compare() error {
	if u.md5 != nil && !bytes.Equal(u.md5.Sum(nil), u.body.ContentMD5) {
		return refuse("BadDigest", http.StatusBadRequest, "The Content-MD5 you specified did not match what we received.")
	}
	want := u.body.Checksum.Value
	if u.body.Trailer != nil {
		v, err := u.body.Trailer()
		if err != nil {
			return broken(err)
		}
		if !isChecksum(v, u.sum.Size()) {
			return invalidRequest("Value for x-amz-checksum-" + lower(u.body.Checksum.Algorithm) + " trailing header is invalid.")
		}
		if want != "" && want != v {
			return invalidRequest("The checksum in the trailer is not the one in the header.")
		}
		want = v
	}
	if want != "" && want != u.Checksum() {
		return refuse("BadDigest", http.StatusBadRequest, "The "+string(u.body.Checksum.Algorithm)+" you specified did not match the calculated checksum.")
	}
	return nil
}

// broken is a body that ended before its time. The reader's own modelled error is passed on. A bare io.ErrUnexpectedEOF
// must not reach the library, which takes it for a proper end.
func broken(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return refuse("IncompleteBody", http.StatusBadRequest, "The request body terminated unexpectedly").because(err)
}

func lower(a ChecksumAlgorithm) string { return strings.ToLower(string(a)) }

// drain reads the body to its verified end.
func (u *upload) drain() error {
	_, err := io.Copy(io.Discard, struct{ io.Reader }{u})
	return err
}

// Algorithm and Checksum tell the library that the checksum is computed here, and its value once the body was read. With
// no algorithm the library computes one of its own choice.
func (u *upload) Algorithm() string { return lower(u.body.Checksum.Algorithm) }

// Checksum is the checksum of what was read so far, in base64.
func (u *upload) Checksum() string {
	if u.sum == nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(u.sum.Sum(nil))
}

// FileBody is the body of an object that is a stretch of a file. Copied to a network connection, the kernel sends it.
type FileBody struct {
	file    *os.File
	first   int64
	section io.LimitedReader
}

func newFileBody(f *os.File, first, length int64) (*FileBody, error) {
	if first > 0 {
		if _, err := f.Seek(first, io.SeekStart); err != nil {
			return nil, err
		}
	}
	return &FileBody{file: f, first: first, section: io.LimitedReader{R: f, N: length}}, nil
}

// Read gives the next bytes.
func (b *FileBody) Read(p []byte) (int, error) { return b.section.Read(p) }

// WriteTo hands the file itself to a writer that knows what to do with it.
func (b *FileBody) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, &b.section) }

// Section is the file and what is left of the stretch. It must not be used together with Read.
func (b *FileBody) Section() (f *os.File, length int64) { return b.file, b.section.N }

// Close closes the file.
func (b *FileBody) Close() error { return b.file.Close() }
