package storage

import "time"

// What every back end has to check of its inputs, for those that are not in this package.

// Check refuses headers that are too long.
func (h *Headers) Check() error { return h.check() }

// CheckWriteConditions refuses conditions that S3 has none of for writes.
func CheckWriteConditions(ifMatch, ifNoneMatch string) error { return checkWrite(ifMatch, ifNoneMatch) }

// Check decides a conditional read against the object as it was answered.
func (c Conditions) Check(etag string, modified time.Time) error { return c.evaluate(etag, modified) }

// CheckParts refuses a list of parts that no upload can be completed with.
func CheckParts(parts []CompletedPart) error { return checkParts(parts) }

// CheckUploadChecksum fills in the type that S3 takes for the algorithm of an upload in parts, and refuses pairs that it
// has not.
func CheckUploadChecksum(c Checksum) (Checksum, error) { return uploadChecksum(c) }

// CheckPageSize bounds the page of a listing, or refuses the number; name is what the parameter is called.
func CheckPageSize(name string, n int) (int, error) { return pageLimit(name, n) }

// CheckListPrefix reports whether there can be keys with the prefix: a folder that no key can be in has none.
func CheckListPrefix(prefix string) bool {
	p := page{prefix: prefix}
	folder := p.start()
	return folder == "" || CheckKey(folder) == nil
}

// Verifier reads a client's body and lets its end through only when the body has proved to be what was announced: its
// length, its Content-MD5, its checksum in a header or trailer, and what its own reader says at the end.
type Verifier struct{ *upload }

// NewVerifier refuses what was announced of a body when nothing can be that.
func NewVerifier(b Body) (*Verifier, error) {
	u, err := newUpload(b)
	if err != nil {
		return nil, err
	}
	return &Verifier{u}, nil
}

// CopyToItself refuses a copy that would change nothing.
func CopyToItself() error {
	return invalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
}

// Size is the length of a checksum in bytes, 0 for what is no algorithm.
func (a ChecksumAlgorithm) Size() int {
	switch a {
	case CRC32, CRC32C:
		return 4
	case CRC64NVME, XXHASH64, XXHASH3:
		return 8
	case MD5, XXHASH128:
		return 16
	case SHA1:
		return 20
	case SHA256:
		return 32
	case SHA512:
		return 64
	}
	return 0
}
