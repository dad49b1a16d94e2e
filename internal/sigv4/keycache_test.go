package sigv4

import (
	"fmt"
	"sync"
	"testing"
)

func TestKeyCacheGivesWhatItWouldDerive(t *testing.T) {
	cache := &KeyCache{Max: 8}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 400 {
				c := Credential{AccessKeyID: fmt.Sprintf("AKIA%d", i%13), Date: fmt.Sprintf("202611%02d", i%7), Region: "us-east-1", Service: "s3", terminator: terminator}
				secret := fmt.Sprint("secret", i%3)
				if got, want := cache.key(secret, &c), deriveKey(secret, &c); got != want {
					t.Errorf("the key of %v under %s differs", c, secret)
				}
				if n := cache.Len(); n > 8 {
					t.Errorf("%d keys are kept", n)
				}
			}
		})
	}
	wg.Wait()
}

func TestKeyCacheForgetsNothingInUse(t *testing.T) {
	cache := &KeyCache{Max: 4}
	busy := Credential{AccessKeyID: "AKIABUSY", Date: "20261122"}
	for i := range 50 {
		cache.key("secret", &busy)
		cache.key("secret", &Credential{AccessKeyID: fmt.Sprint(i), Date: "20261122"})
		kept := 0
		for _, half := range []map[cacheKey]signingKey{cache.young, cache.old} {
			for k := range half {
				if k.id == busy.AccessKeyID {
					kept++
				}
			}
		}
		if kept == 0 {
			t.Fatalf("after %d others the busy key is gone", i)
		}
	}
}
