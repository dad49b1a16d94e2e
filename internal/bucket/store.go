package bucket

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lakegate/lakegate/internal/store"
)

// change is the kind of change in the feed; its key is the name.
const change = "bucket"

const columns = `SELECT name, account, region, created, state, policy, policy_ids, access_block, tags, cors, backend, remote_bucket, remote_prefix, attached FROM buckets`

func scan(s store.Scanner) (*Bucket, error) {
	var b Bucket
	var created int64
	var text, ids, block, tags, cors string
	var attached int64
	if err := s.Scan(&b.Name, &b.Account, &b.Region, &created, &b.state, &text, &ids, &block, &tags, &cors, &b.Backend, &b.Place.Bucket, &b.Place.Prefix, &attached); err != nil {
		return nil, err
	}
	b.Created, b.Attached = store.Time(created), attached != 0
	if err := json.Unmarshal([]byte(tags), &b.Tags); err != nil {
		return nil, fmt.Errorf("read tags of bucket %s: %w", b.Name, err)
	}
	if cors != "" {
		if err := json.Unmarshal([]byte(cors), &b.CORS); err != nil {
			return nil, fmt.Errorf("read cors of bucket %s: %w", b.Name, err)
		}
	}
	if block != "" {
		b.PublicAccessBlock = new(PublicAccessBlock)
		if err := json.Unmarshal([]byte(block), b.PublicAccessBlock); err != nil {
			return nil, fmt.Errorf("read public access block of bucket %s: %w", b.Name, err)
		}
	}
	if text != "" {
		var known map[string]string
		if err := json.Unmarshal([]byte(ids), &known); err != nil {
			return nil, fmt.Errorf("read principals of bucket %s: %w", b.Name, err)
		}
		b.Policy = newPolicy(text, known)
	}
	return &b, nil
}

func readRow(ctx context.Context, q store.Querier, name string) (*Bucket, error) {
	return store.One(ctx, q, scan, columns+` WHERE name = ?`, name)
}

// read and each show what is there for others: not what is being created.
func read(ctx context.Context, q store.Querier, name string) (*Bucket, error) {
	return store.One(ctx, q, scan, columns+` WHERE name = ? AND state <> ?`, name, string(creating))
}

func each(ctx context.Context, q store.Querier, do func(string, *Bucket) error) error {
	return store.Each(ctx, q, scan, func(b *Bucket) error { return do(b.Name, b) }, columns+` WHERE state <> ?`, string(creating))
}

func unfinished(ctx context.Context, q store.Querier) ([]*Bucket, error) {
	return store.All(ctx, q, scan, columns+` WHERE state <> ? ORDER BY name`, string(active))
}

func insert(ctx context.Context, tx *store.Tx, b *Bucket) error {
	tags, err := json.Marshal(b.Tags)
	if err != nil {
		return err
	}
	block, err := encodeBlock(b.PublicAccessBlock)
	if err != nil {
		return err
	}
	attached := 0
	if b.Attached {
		attached = 1
	}
	_, err = tx.Exec(ctx, `INSERT INTO buckets (name, account, region, created, state, policy, policy_ids, access_block, tags, backend, remote_bucket, remote_prefix, attached)
		VALUES (?, ?, ?, ?, ?, '', '{}', ?, ?, ?, ?, ?, ?)`,
		b.Name, b.Account, b.Region, store.Millis(b.Created), string(b.state), block, string(tags), b.Backend, b.Place.Bucket, b.Place.Prefix, attached)
	return err
}

// move changes the state of a bucket that is in another, or store.ErrNotFound.
func move(ctx context.Context, tx *store.Tx, name string, from, to state) error {
	return tx.MustExec(ctx, `UPDATE buckets SET state = ? WHERE name = ? AND state = ?`, string(to), name, string(from))
}

func remove(ctx context.Context, tx *store.Tx, name string, from state) error {
	return tx.MustExec(ctx, `DELETE FROM buckets WHERE name = ? AND state = ?`, name, string(from))
}

func setPolicy(ctx context.Context, tx *store.Tx, name string, p *Policy) error {
	text, ids := "", []byte("{}")
	if p != nil {
		text = p.Text
		var err error
		if ids, err = json.Marshal(p.ids); err != nil {
			return err
		}
	}
	return tx.MustExec(ctx, `UPDATE buckets SET policy = ?, policy_ids = ? WHERE name = ? AND state <> ?`, text, string(ids), name, string(creating))
}

func setAccessBlock(ctx context.Context, tx *store.Tx, name string, p *PublicAccessBlock) error {
	block, err := encodeBlock(p)
	if err != nil {
		return err
	}
	return tx.MustExec(ctx, `UPDATE buckets SET access_block = ? WHERE name = ? AND state <> ?`, block, name, string(creating))
}

func setTags(ctx context.Context, tx *store.Tx, name string, tags map[string]string) error {
	text, err := json.Marshal(tags)
	if err != nil {
		return err
	}
	return tx.MustExec(ctx, `UPDATE buckets SET tags = ? WHERE name = ? AND state <> ?`, string(text), name, string(creating))
}

func setCORS(ctx context.Context, tx *store.Tx, name string, rules []CORSRule) error {
	text := ""
	if len(rules) > 0 {
		encoded, err := json.Marshal(rules)
		if err != nil {
			return err
		}
		text = string(encoded)
	}
	return tx.MustExec(ctx, `UPDATE buckets SET cors = ? WHERE name = ? AND state <> ?`, text, name, string(creating))
}

func countOf(ctx context.Context, q store.Querier, account string) (int64, error) {
	return store.One(ctx, q, store.Int, `SELECT COUNT(*) FROM buckets WHERE account = ?`, account)
}

// encodeBlock is a public access block as its column has it: nothing where none is set.
func encodeBlock(p *PublicAccessBlock) (string, error) {
	if p == nil {
		return "", nil
	}
	text, err := json.Marshal(p)
	return string(text), err
}

// stamp is an instant as the database gives it back.
func stamp(t time.Time) time.Time { return store.Time(store.Millis(t)) }
