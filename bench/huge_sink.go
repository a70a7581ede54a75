// huge_sink.go SIZE: as much of S3 as the transfer of one object of SIZE bytes needs, keeping nothing. What comes is
// counted and its CRC-32 compared, part by part, and the list of parts must be whole. What is asked for is zeros.
// Prints its port; every line after that is something wrong, or, at a completion, how many parts there were and how
// large the largest was.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
)

var (
	size  int64
	lock  sync.Mutex
	parts = map[int]int64{}
	zeros = make([]byte, 1<<20)
)

func wrong(w http.ResponseWriter, format string, args ...any) {
	fmt.Printf("wrong: "+format+"\n", args...)
	w.WriteHeader(400)
	io.WriteString(w, "<Error><Code>InvalidRequest</Code></Error>")
}

func putPart(w http.ResponseWriter, r *http.Request) {
	number, _ := strconv.Atoi(r.URL.Query().Get("partNumber"))
	sum := crc32.NewIEEE()
	n, err := io.CopyBuffer(struct{ io.Writer }{sum}, r.Body, make([]byte, 1<<18))
	var bytes [4]byte
	binary.BigEndian.PutUint32(bytes[:], sum.Sum32())
	told := r.Header.Get("X-Amz-Checksum-Crc32")
	switch {
	case err != nil:
		wrong(w, "part %d: %v", number, err)
	case number < 1 || number > 10000 || n > 5<<30:
		wrong(w, "part %d of %d bytes", number, n)
	case n != r.ContentLength:
		wrong(w, "part %d: %d bytes of %d", number, n, r.ContentLength)
	case told != base64.StdEncoding.EncodeToString(bytes[:]):
		wrong(w, "part %d: checksum %q", number, told)
	default:
		lock.Lock()
		parts[number] = n
		lock.Unlock()
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, number))
		w.Header().Set("X-Amz-Checksum-Crc32", told)
	}
}

func complete(w http.ResponseWriter, r *http.Request) {
	var list struct {
		Part []struct {
			ETag       string
			PartNumber int
		}
	}
	if err := xml.NewDecoder(r.Body).Decode(&list); err != nil {
		wrong(w, "completion: %v", err)
		return
	}
	var sum, largest int64
	for i, part := range list.Part {
		length, there := parts[i+1]
		if part.PartNumber != i+1 || !there || part.ETag != fmt.Sprintf(`"%d"`, i+1) {
			wrong(w, "part %d of the list: %v", i+1, part)
			return
		}
		if i+1 < len(list.Part) && length < 5<<20 {
			wrong(w, "part %d has %d bytes", i+1, length)
			return
		}
		sum += length
		largest = max(largest, length)
	}
	if sum != size || len(list.Part) != len(parts) {
		wrong(w, "%d parts of %d, %d bytes of %d", len(list.Part), len(parts), sum, size)
		return
	}
	fmt.Printf("%d %d\n", len(list.Part), largest)
	io.WriteString(w, `<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>`)
}

func get(w http.ResponseWriter, r *http.Request) {
	first, last := int64(0), size-1
	if text, ranged := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ranged {
		from, to, _ := strings.Cut(text, "-")
		first, _ = strconv.ParseInt(from, 10, 64)
		if to != "" {
			last, _ = strconv.ParseInt(to, 10, 64)
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, size))
	}
	w.Header().Set("ETag", `"e"`)
	w.Header().Set("Content-Length", strconv.FormatInt(last-first+1, 10))
	if first > 0 || last < size-1 {
		w.WriteHeader(206)
	}
	if r.Method == "HEAD" {
		return
	}
	for left := last - first + 1; left > 0; {
		n, err := w.Write(zeros[:min(left, int64(len(zeros)))])
		if err != nil {
			return
		}
		left -= int64(n)
	}
}

func answer(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case r.Method == "POST" && query.Has("uploads"):
		io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>")
	case r.Method == "POST":
		complete(w, r)
	case r.Method == "PUT" && query.Has("partNumber"):
		putPart(w, r)
	case r.Method == "GET" || r.Method == "HEAD":
		get(w, r)
	default:
		wrong(w, "%s %s", r.Method, r.URL)
	}
}

func main() {
	size, _ = strconv.ParseInt(os.Args[1], 10, 64)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, http.HandlerFunc(answer)))
}
