package sigv4

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
)

// The grammar of aws-chunked:
//
//	body     = *chunk last-chunk *trailer CRLF
//	chunk    = hex-size [";chunk-signature=" signature] CRLF data CRLF
//	last     = "0" [";chunk-signature=" signature] CRLF
//	trailer  = name ":" value [LF] CRLF
//
// The signature of each chunk covers the one before it, so that chunks cannot be left out, repeated or moved.
const (
	chunkAlgorithm   = "AWS4-HMAC-SHA256-PAYLOAD"
	trailerAlgorithm = "AWS4-HMAC-SHA256-TRAILER"
	signaturePart    = ";chunk-signature="
	trailerSignature = "x-amz-trailer-signature"

	// minChunk is the least size of a signed chunk that another one follows.
	minChunk = 8192
	// maxSizeDigits keeps a size well inside an int64.
	maxSizeDigits = 15
	// lineBuffer bounds a line of framing, and thereby a trailer.
	lineBuffer = 4 << 10
)

// chunkReader decodes aws-chunked content.
type chunkReader struct {
	br        *bufio.Reader
	remaining int64 // of the declared length
	left      int64 // of this chunk
	chunks    int
	size      int64 // of this chunk
	chain     *chunkChain
	sum       hash.Hash
	trailing  bool
	declared  string
	value     string
	err       error
}

// chunkChain verifies signed chunks.
type chunkChain struct {
	proof    *Proof
	previous string
	current  string
	hash     hash.Hash
}

func (c *chunkReader) Read(p []byte) (int, error) {
	if c.err != nil || len(p) == 0 {
		return 0, c.err
	}
	n, err := c.read(p)
	if err != nil {
		c.err = err
	}
	return n, err
}

func (c *chunkReader) read(p []byte) (int, error) {
	if c.left == 0 {
		if err := c.open(); err != nil {
			return 0, err
		}
		if c.size == 0 {
			return 0, c.finish()
		}
	}
	n, err := c.br.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.remaining -= int64(n)
	if c.chain != nil {
		c.chain.hash.Write(p[:n])
	}
	if c.sum != nil {
		c.sum.Write(p[:n])
	}
	if c.left > 0 {
		return n, truncated(err)
	}
	// The last bytes of a chunk are only given once the whole chunk is known to be right.
	if err := c.close(); err != nil {
		return 0, err
	}
	return n, nil
}

// truncated turns the end of the connection into an incomplete body.
func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Kind: IncompleteBody}
	}
	return err
}

// open reads the line in front of a chunk.
func (c *chunkReader) open() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	digits := string(line)
	if c.chain != nil {
		size, signature, ok := strings.Cut(digits, signaturePart)
		if !ok || len(signature) != 2*sha256.Size {
			return malformedChunk("a chunk has no signature")
		}
		digits, c.chain.current = size, signature
	}
	size, err := strconv.ParseUint(digits, 16, 63)
	if err != nil || len(digits) > maxSizeDigits {
		return malformedChunk(fmt.Sprintf("%q is no size of a chunk", bounded(digits)))
	}
	if c.chain != nil && size > 0 && c.chunks > 0 && c.size < minChunk {
		return &Error{Kind: SmallChunk, Fields: map[string]string{"Chunk": strconv.Itoa(c.chunks), "BadChunkSize": strconv.FormatInt(c.size, 10)}}
	}
	if int64(size) > c.remaining {
		return &Error{Kind: IncompleteBody, Err: errors.New("there is more content than declared")}
	}
	c.chunks++
	c.size, c.left = int64(size), int64(size)
	return nil
}

func malformedChunk(reason string) *Error {
	return &Error{Kind: MalformedChunk, Err: errors.New(reason)}
}

// close reads the line end behind a chunk and verifies its signature.
func (c *chunkReader) close() error {
	var end [2]byte
	if _, err := io.ReadFull(c.br, end[:]); err != nil {
		return truncated(err)
	}
	if end != [2]byte{'\r', '\n'} {
		return malformedChunk("a chunk is longer than it says")
	}
	return c.chain.verify()
}

func (k *chunkChain) verify() error {
	if k == nil {
		return nil
	}
	digest := k.hash.Sum(nil)
	k.hash.Reset()
	return k.next(chunkAlgorithm, EmptyPayload+"\n"+hex.EncodeToString(digest), k.current)
}

// next verifies a link of the chain.
func (k *chunkChain) next(algorithm, covered, signature string) error {
	s := k.proof.Signature
	toSign := algorithm + "\n" + s.date + "\n" + s.Credential.Scope() + "\n" + k.previous + "\n" + covered
	if !k.proof.matches(toSign, signature) {
		return &Error{Kind: Mismatch, Form: s.Form, Fields: map[string]string{
			"AWSAccessKeyId": s.Credential.AccessKeyID, "StringToSign": toSign, "StringToSignBytes": spaced(toSign), "SignatureProvided": bounded(signature),
		}}
	}
	k.previous = signature
	return nil
}

// finish follows the last chunk: its signature, the trailer, and nothing else. It returns io.EOF when all is right.
func (c *chunkReader) finish() error {
	if c.remaining != 0 {
		return &Error{Kind: IncompleteBody}
	}
	if err := c.chain.verify(); err != nil {
		return err
	}
	if err := c.readTrailer(); err != nil {
		return err
	}
	switch _, err := c.br.ReadByte(); {
	case err == nil:
		return malformedChunk("something follows the last chunk")
	case !errors.Is(err, io.EOF):
		return err
	}
	if c.declared != "" {
		if err := checkTrailer(c.declared, c.value, c.sum); err != nil {
			return err
		}
	}
	return io.EOF
}

// readTrailer reads lines up to the empty one. There must be the declared one and, in signed content, its signature last.
func (c *chunkReader) readTrailer() error {
	signature := ""
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		name, value, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), ":")
		name, value = strings.ToLower(strings.Trim(name, " ")), strings.Trim(value, " ")
		switch {
		case !ok || value == "" || signature != "":
			return &Error{Kind: MalformedTrailer}
		case c.chain != nil && c.trailing && name == trailerSignature:
			signature = value
		case name != "" && name == c.declared && c.value == "":
			c.value = value
		default:
			return &Error{Kind: MalformedTrailer, Err: fmt.Errorf("%q was not declared", bounded(name))}
		}
	}
	if c.declared != "" && c.value == "" {
		return &Error{Kind: MalformedTrailer, Err: fmt.Errorf("%s is missing", c.declared)}
	}
	if c.chain == nil || !c.trailing {
		return nil
	}
	covered := ""
	if c.declared != "" {
		covered = c.declared + ":" + c.value + "\n"
	}
	digest := sha256.Sum256([]byte(covered))
	return c.chain.next(trailerAlgorithm, hex.EncodeToString(digest[:]), signature)
}

// line reads up to CRLF, within the bounds of the buffer. The bytes are good until the next read.
func (c *chunkReader) line() ([]byte, error) {
	line, err := c.br.ReadSlice('\n')
	for err == nil && !bytes.HasSuffix(line, []byte("\r\n")) {
		// A bare LF in front of CRLF ends a trailer that some clients sign with their LF.
		more, e := c.br.Peek(2)
		if e != nil || !bytes.Equal(more, []byte("\r\n")) {
			return nil, malformedChunk("a line does not end in CRLF")
		}
		line = append(bytes.Clone(line), more...)
		_, err = c.br.Discard(2)
	}
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, malformedChunk("a line is too long")
	case err != nil:
		return nil, truncated(err)
	}
	return line[:len(line)-2], nil
}
