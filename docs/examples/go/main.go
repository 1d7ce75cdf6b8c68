// SPDX-License-Identifier: BSD-2-Clause

// Waits for the first retransmit of this host (to that remote port, if one is given), prints it and
// ends. From the top of the tree:
//
//	make -C native
//	cd docs/examples/go && go build && sudo ./first_retransmit [PORT]
package main

// #cgo CFLAGS: -I${SRCDIR}/../../../native
// #cgo LDFLAGS: -L${SRCDIR}/../../../native/build -l:libtcpretrans.a
// #include <errno.h>
// #include <stdint.h>
// #include <stdlib.h>
// #include <libtcpretrans.h>
//
// // Exported by Go, which knows no const.
// extern int onRetransmit(struct tcpretrans_event *event, void *ctx);
//
// // A C function that hands the Go one over, and a number instead of a pointer into Go's memory.
// static int run(struct tcpretrans *tracer, uintptr_t handle)
// {
// 	return tcpretrans_run(tracer, (tcpretrans_callback)onRetransmit, (void *)handle);
// }
import "C"

import (
	"fmt"
	"net"
	"os"
	"runtime/cgo"
	"strconv"
	"unsafe"
)

// search is what the callback works with.
type search struct {
	port  int // 0: any
	found retransmit
}

// retransmit is what this program keeps of an event: the C one is reused after the callback.
type retransmit struct {
	local, remote net.TCPAddr
	segs          uint32
}

func address(ip [16]C.uint8_t, family C.uint8_t, port C.uint16_t) net.TCPAddr {
	size := 4
	if family == 6 {
		size = 16
	}
	return net.TCPAddr{IP: C.GoBytes(unsafe.Pointer(&ip[0]), C.int(size)), Port: int(port)}
}

//export onRetransmit
func onRetransmit(event *C.struct_tcpretrans_event, ctx unsafe.Pointer) C.int {
	wanted := cgo.Handle(uintptr(ctx)).Value().(*search)
	if wanted.port != 0 && wanted.port != int(event.dport) {
		return 0 // go on
	}
	wanted.found = retransmit{
		local:  address(event.saddr, event.family, event.sport),
		remote: address(event.daddr, event.family, event.dport),
		segs:   uint32(event.segs),
	}
	return 1 // not zero: tcpretrans_run ends and returns it
}

// open attaches the tracer, or says in one sentence why it cannot.
func open() (*C.struct_tcpretrans, error) {
	const size = 256
	why := (*C.char)(C.calloc(1, size))
	defer C.free(unsafe.Pointer(why))
	var tracer *C.struct_tcpretrans
	opts := (*C.struct_tcpretrans_opts)(C.calloc(1, C.sizeof_struct_tcpretrans_opts))
	defer C.free(unsafe.Pointer(opts))
	opts.size, opts.error, opts.error_size = C.sizeof_struct_tcpretrans_opts, why, size
	if C.tcpretrans_open(opts, &tracer) < 0 {
		return nil, fmt.Errorf("cannot trace: %s", C.GoString(why))
	}
	return tracer, nil
}

func main() {
	tracer, err := open()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer C.tcpretrans_close(tracer)
	fmt.Fprintln(os.Stderr, "Tracing with libtcpretrans", C.GoString(C.tcpretrans_version()))

	wanted := &search{}
	if len(os.Args) > 1 {
		wanted.port, _ = strconv.Atoi(os.Args[1])
	}
	handle := cgo.NewHandle(wanted)
	defer handle.Delete()
	result := C.run(tracer, C.uintptr_t(handle))
	for result == -C.EINTR { // one of the signals that Go's runtime sends its own threads
		result = C.run(tracer, C.uintptr_t(handle))
	}
	if result != 1 {
		fmt.Fprintln(os.Stderr, "tracing ended with", result)
		os.Exit(1)
	}
	fmt.Printf("%v -> %v: %d segment(s)\n",
		&wanted.found.local, &wanted.found.remote, wanted.found.segs)
}
