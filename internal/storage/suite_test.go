package storage_test

import (
	"testing"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/storage/storagetest"
)

func TestContract(t *testing.T) {
	s := storagetest.Subject{New: func(t *testing.T, w storagetest.Want) (storagetest.Keeper, string) {
		b := newBucket(t)
		if w.Versions {
			if err := shared.PutBucketVersioning(t.Context(), b, storage.Enabled); err != nil {
				t.Fatal(err)
			}
		}
		if w.Locks {
			if err := shared.PutObjectLockConfiguration(t.Context(), b, storage.LockConfiguration{}); err != nil {
				t.Fatal(err)
			}
		}
		return shared, b
	}}
	if shared.Beside() {
		s.Lacks = []storagetest.Lack{storagetest.Versions, storagetest.Locks}
	}
	storagetest.Run(t, s)
}
