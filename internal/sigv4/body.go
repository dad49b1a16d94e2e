package sigv4

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// BodyOptions say how a content is checked.
type BodyOptions struct {
	// DeferChecksum leaves comparing the content with the trailer's checksum to the caller, who reads it from Trailer: a
	// storage that computes the checksum anyway need not have it computed twice.
	DeferChecksum bool
}

// Body is the content of a request without its encoding. Read gives io.EOF only when all of it was right; any other error
// is an *Error or the connection's.
type Body struct {
	r      io.Reader
	size   int64
	chunks *chunkReader // nil when the content is not in aws-chunked encoding
}

// Read gives the next bytes. They are provisional until io.EOF.
func (b *Body) Read(p []byte) (int, error) { return b.r.Read(p) }

// Size is how long the content is to be, −1 when the client did not say.
func (b *Body) Size() int64 { return b.size }

// TrailerName is the header that will follow the content, such as "x-amz-checksum-crc32", or "".
func (b *Body) TrailerName() string {
	if b.chunks == nil {
		return ""
	}
	return b.chunks.declared
}

// Trailer is the value of that header, known once Read has given io.EOF. Before, it is "".
func (b *Body) Trailer() string {
	if b.chunks == nil || !errors.Is(b.chunks.err, io.EOF) {
		return ""
	}
	return b.chunks.value
}

// NewBody checks the content of a request against what its signature says of it, while it is read. A nil proof is that of
// a request that is not signed, which can promise a hash or a trailer, but not signed chunks.
func NewBody(r *http.Request, p *Proof, o BodyOptions) (*Body, error) {
	payload, err := payloadOf(r, p)
	if err != nil {
		return nil, err
	}
	content := io.Reader(r.Body)
	if r.Body == nil {
		content = http.NoBody
	}
	switch {
	case payload.Streaming():
		return newChunkedBody(r, content, payload, p, o)
	case payload.Hashed():
		return &Body{size: r.ContentLength, r: &hashedReader{r: content, hash: sha256.New(), want: strings.ToLower(string(payload))}}, nil
	default:
		return &Body{size: r.ContentLength, r: content}, nil
	}
}

func payloadOf(r *http.Request, p *Proof) (Payload, error) {
	if p != nil {
		return p.Payload, nil
	}
	values := r.Header["X-Amz-Content-Sha256"]
	if len(values) > 1 {
		return "", &Error{Kind: BadPayloadHash}
	}
	payload, err := parsePayload(strings.Join(values, ""))
	if err == nil && payload.Streaming() && payload != StreamingUnsignedTrailer {
		err = &Error{Kind: BadPayloadHash}
	}
	return payload, err
}

// hashedReader compares the SHA-256 at the end.
type hashedReader struct {
	r    io.Reader
	hash hash.Hash
	want string
	err  error
}

func (h *hashedReader) Read(p []byte) (int, error) {
	if h.err != nil {
		return 0, h.err
	}
	n, err := h.r.Read(p)
	h.hash.Write(p[:n])
	if errors.Is(err, io.EOF) {
		// Not secret: the client sent both the content and the hash.
		if got := hex.EncodeToString(h.hash.Sum(nil)); got != h.want {
			err = payloadMismatch(h.want, got)
		}
	}
	h.err = err
	return n, err
}

func newChunkedBody(r *http.Request, content io.Reader, payload Payload, p *Proof, o BodyOptions) (*Body, error) {
	length := r.Header["X-Amz-Decoded-Content-Length"]
	if len(length) == 0 {
		return nil, &Error{Kind: MissingLength}
	}
	size, err := strconv.ParseUint(length[0], 10, 63)
	if err != nil || len(length) > 1 || strings.HasPrefix(length[0], "+") {
		return nil, &Error{Kind: MissingLength, Err: err}
	}
	c := &chunkReader{br: bufio.NewReaderSize(content, lineBuffer), remaining: int64(size), trailing: payload.Trailing()}
	if c.declared, err = declaredTrailer(r.Header["X-Amz-Trailer"], c.trailing); err != nil {
		return nil, err
	}
	if c.declared != "" && !o.DeferChecksum {
		if c.sum = NewChecksum(strings.TrimPrefix(c.declared, checksumPrefix)); c.sum == nil {
			return nil, &Error{Kind: UnknownTrailer}
		}
	}
	if payload != StreamingUnsignedTrailer {
		c.chain = &chunkChain{proof: p, previous: p.value, hash: sha256.New()}
	}
	return &Body{r: c, size: int64(size), chunks: c}, nil
}

// declaredTrailer reads X-Amz-Trailer, which names at most one checksum.
func declaredTrailer(values []string, trailing bool) (string, error) {
	name := strings.ToLower(strings.Trim(strings.Join(values, ","), " "))
	switch {
	case name == "":
		return "", nil
	case !trailing:
		return "", &Error{Kind: MalformedTrailer, Err: errors.New("a trailer is declared, but the content has none")}
	case trailerSize(name) == 0:
		return "", &Error{Kind: UnknownTrailer}
	default:
		return name, nil
	}
}

// checkTrailer compares a content's checksum with the trailer that declares it.
func checkTrailer(name, value string, sum hash.Hash) error {
	want, ok := decodeDigest(value, trailerSize(name))
	if !ok {
		return &Error{Kind: InvalidDigest, Err: errors.New(name + " is no digest of its kind")}
	}
	if sum != nil && !bytes.Equal(sum.Sum(nil), want) {
		return &Error{Kind: BadDigest}
	}
	return nil
}
