/*
 * Every list of every link, for tests and fuzzers: whoever includes this has defined MSG and
 * the fields.  IPC_PREFIX says which link a message belongs to.  On purpose without a guard.
 */
#define IPC_PREFIX rq
#include "ipc/links/rq.def"
#undef IPC_PREFIX
#define IPC_PREFIX qr
#include "ipc/links/qr.def"
#undef IPC_PREFIX
#define IPC_PREFIX xl
#include "ipc/links/xl.def"
#undef IPC_PREFIX
#define IPC_PREFIX lx
#include "ipc/links/lx.def"
#undef IPC_PREFIX
#define IPC_PREFIX rk
#include "ipc/links/rk.def"
#undef IPC_PREFIX
#define IPC_PREFIX kr
#include "ipc/links/kr.def"
#undef IPC_PREFIX
#define IPC_PREFIX kl
#include "ipc/links/kl.def"
#undef IPC_PREFIX
#define IPC_PREFIX lk
#include "ipc/links/lk.def"
#undef IPC_PREFIX
#define IPC_PREFIX qd
#include "ipc/links/qd.def"
#undef IPC_PREFIX
#define IPC_PREFIX dq
#include "ipc/links/dq.def"
#undef IPC_PREFIX
#define IPC_PREFIX qm
#include "ipc/links/qm.def"
#undef IPC_PREFIX
#define IPC_PREFIX mq
#include "ipc/links/mq.def"
#undef IPC_PREFIX
#define IPC_PREFIX qp
#include "ipc/links/qp.def"
#undef IPC_PREFIX
#define IPC_PREFIX pq
#include "ipc/links/pq.def"
#undef IPC_PREFIX
#define IPC_PREFIX dn
#include "ipc/links/dn.def"
#undef IPC_PREFIX
#define IPC_PREFIX nd
#include "ipc/links/nd.def"
#undef IPC_PREFIX
#define IPC_PREFIX rn
#include "ipc/links/rn.def"
#undef IPC_PREFIX
#define IPC_PREFIX nr
#include "ipc/links/nr.def"
#undef IPC_PREFIX
#define IPC_PREFIX fn
#include "ipc/links/fn.def"
#undef IPC_PREFIX
#define IPC_PREFIX nf
#include "ipc/links/nf.def"
#undef IPC_PREFIX
#define IPC_PREFIX df
#include "ipc/links/df.def"
#undef IPC_PREFIX
#define IPC_PREFIX fd
#include "ipc/links/fd.def"
#undef IPC_PREFIX
#define IPC_PREFIX dk
#include "ipc/links/dk.def"
#undef IPC_PREFIX
#define IPC_PREFIX kd
#include "ipc/links/kd.def"
#undef IPC_PREFIX
#define IPC_PREFIX aq
#include "ipc/links/aq.def"
#undef IPC_PREFIX
#define IPC_PREFIX qa
#include "ipc/links/qa.def"
#undef IPC_PREFIX
#define IPC_PREFIX sx
#include "ipc/links/sx.def"
#undef IPC_PREFIX
#define IPC_PREFIX xs
#include "ipc/links/xs.def"
#undef IPC_PREFIX
