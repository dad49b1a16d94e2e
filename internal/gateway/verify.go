package gateway

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // Content-MD5 is a checksum
	"crypto/sha1" //nolint:gosec // x-amz-checksum-sha1 is a checksum
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/wire"
)

const crc64NVME = 0x9a6c9329ac4bc9b5 // reflected

// verify holds a document that is in memory against the checksums that came with it.
func verify(text, contentMD5 []byte, c storage.Checksum) error {
	bad := wire.NewError("BadDigest", http.StatusBadRequest, "The Content-MD5 or checksum value that you specified did not match what the server received.")
	if contentMD5 != nil {
		if sum := md5.Sum(text); !bytes.Equal(sum[:], contentMD5) { //nolint:gosec // as above
			return bad
		}
	}
	if c.Value == "" {
		return nil
	}
	var h hash.Hash
	switch c.Algorithm {
	case storage.CRC32:
		h = crc32.NewIEEE()
	case storage.CRC32C:
		h = crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case storage.CRC64NVME:
		h = crc64.New(crc64.MakeTable(crc64NVME))
	case storage.SHA1:
		h = sha1.New() //nolint:gosec // as above
	case storage.SHA256:
		h = sha256.New()
	default:
		return invalidRequest("The checksum algorithm " + string(c.Algorithm) + " is not supported for this request.")
	}
	h.Write(text)
	if base64.StdEncoding.EncodeToString(h.Sum(nil)) != c.Value {
		return bad
	}
	return nil
}
