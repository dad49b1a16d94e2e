package sigv4

import (
	"crypto/md5"  //nolint:gosec // S3 names it, as a checksum
	"crypto/sha1" //nolint:gosec // S3 names it, as a checksum
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"
)

// checksumPrefix begins the headers and trailers that carry a checksum.
const checksumPrefix = "x-amz-checksum-"

// nvme is the polynomial of CRC64NVME, reflected, as package crc64 wants it.
const nvme = 0x9a6c9329ac4bc9b5

// NewChecksum makes the hash of an S3 checksum algorithm, named as the end of its header: "crc32", "crc32c", "crc64nvme",
// "sha1", "sha256", "sha512", "md5". For any other it returns nil.
func NewChecksum(algorithm string) hash.Hash {
	switch algorithm {
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		return crc64.New(crc64.MakeTable(nvme))
	case "sha1":
		return sha1.New() //nolint:gosec // see above
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	case "md5":
		return md5.New() //nolint:gosec // see above
	default:
		return nil
	}
}

// trailerSize is the length of the digest that a trailer carries, 0 for a name that is no checksum of S3.
func trailerSize(name string) int {
	algorithm, _ := strings.CutPrefix(name, checksumPrefix)
	switch {
	case algorithm == name:
		return 0
	case algorithm == "xxhash64" || algorithm == "xxhash3":
		return 8
	case algorithm == "xxhash128":
		return 16
	}
	if h := NewChecksum(algorithm); h != nil {
		return h.Size()
	}
	return 0
}

// decodeDigest reads the base64 of a digest of the size.
func decodeDigest(v string, size int) ([]byte, bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(v)
	return b, err == nil && len(b) == size
}
