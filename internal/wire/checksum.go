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

// verifyChecksums holds a body against the checksums that came with it, if any did. They protect against accidents on the
// way; the signature protects against the rest.
func verifyChecksums(h http.Header, body []byte) error {
	for name, make := range map[string]func() hash.Hash{
		"Content-Md5":              md5.New,
		"X-Amz-Checksum-Crc32":     func() hash.Hash { return crc32.NewIEEE() },
		"X-Amz-Checksum-Crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
		"X-Amz-Checksum-Crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(crc64NVME)) },
		"X-Amz-Checksum-Sha1":      sha1.New,
		"X-Amz-Checksum-Sha256":    sha256.New,
	} {
		want := h.Get(name)
		if want == "" {
			continue
		}
		sum := make()
		sum.Write(body)
		if base64.StdEncoding.EncodeToString(sum.Sum(nil)) != want {
			return fmt.Errorf("the %s does not match the body", name)
		}
	}
	return nil
}
