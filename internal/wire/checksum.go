package wire

import (
	"crypto/md5"  //nolint:gosec // Content-MD5 is a checksum
	"crypto/sha1" //nolint:gosec // x-amz-checksum-sha1 is a checksum
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
)

// crc64NVME is the polynomial of CRC-64/NVME, reflected.
const crc64NVME = 0x9a6c9329ac4bc9b5

// checksumOf finds the function of a header.
func checksumOf(header string) func() hash.Hash {
	switch header {
	case "Content-Md5":
		return md5.New
	case "X-Amz-Checksum-Crc32":
		return func() hash.Hash { return crc32.NewIEEE() }
	case "X-Amz-Checksum-Crc32c":
		return func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }
	case "X-Amz-Checksum-Crc64nvme":
		return func() hash.Hash { return crc64.New(crc64.MakeTable(crc64NVME)) }
	case "X-Amz-Checksum-Sha1":
		return sha1.New
	case "X-Amz-Checksum-Sha256":
		return sha256.New
	}
	return nil
}

// verifyChecksums holds a body against the checksums that came with it, if any did. They protect against accidents on the
// way; the signature protects against the rest. Clients send them even with no body at all.
func verifyChecksums(h http.Header, body []byte) error {
	for header, values := range h {
		function := checksumOf(header)
		if function == nil {
			continue
		}
		sum := function()
		sum.Write(body)
		want := base64.StdEncoding.EncodeToString(sum.Sum(nil))
		for _, got := range values {
			if got != want {
				return NewError("BadDigest", http.StatusBadRequest, fmt.Sprintf("The %s you specified did not match what we received.", header))
			}
		}
	}
	return nil
}
