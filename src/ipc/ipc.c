/* The codecs of all links, made from the lists; a fault anywhere refuses the whole message. */
#include "ipc/ipc.h"

#include "base/wire.h"

#define IPC_PREFIX rq
#define IPC_FILE "ipc/links/rq.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX qr
#define IPC_FILE "ipc/links/qr.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX xl
#define IPC_FILE "ipc/links/xl.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX lx
#define IPC_FILE "ipc/links/lx.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX rk
#define IPC_FILE "ipc/links/rk.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX kr
#define IPC_FILE "ipc/links/kr.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX kl
#define IPC_FILE "ipc/links/kl.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX lk
#define IPC_FILE "ipc/links/lk.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX qd
#define IPC_FILE "ipc/links/qd.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX dq
#define IPC_FILE "ipc/links/dq.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX qm
#define IPC_FILE "ipc/links/qm.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX mq
#define IPC_FILE "ipc/links/mq.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX qp
#define IPC_FILE "ipc/links/qp.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX pq
#define IPC_FILE "ipc/links/pq.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX dn
#define IPC_FILE "ipc/links/dn.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX nd
#define IPC_FILE "ipc/links/nd.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX rn
#define IPC_FILE "ipc/links/rn.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX nr
#define IPC_FILE "ipc/links/nr.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX fn
#define IPC_FILE "ipc/links/fn.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX nf
#define IPC_FILE "ipc/links/nf.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX df
#define IPC_FILE "ipc/links/df.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX fd
#define IPC_FILE "ipc/links/fd.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX dk
#define IPC_FILE "ipc/links/dk.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX kd
#define IPC_FILE "ipc/links/kd.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX aq
#define IPC_FILE "ipc/links/aq.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX qa
#define IPC_FILE "ipc/links/qa.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX sx
#define IPC_FILE "ipc/links/sx.def"
#include "ipc/ipc_define.h"
#define IPC_PREFIX xs
#define IPC_FILE "ipc/links/xs.def"
#include "ipc/ipc_define.h"
