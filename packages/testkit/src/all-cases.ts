import { authenticationCases } from "./cases/authentication.ts";
import { repeatCases } from "./cases/repeats.ts";
import { broadcastCases } from "./cases/broadcast.ts";
import { callHandleCases } from "./cases/call-handle.ts";
import { cancelCases } from "./cases/cancel.ts";
import { capabilityCases } from "./cases/capabilities.ts";
import { clientStreamCases } from "./cases/client-streams.ts";
import { compressionCases } from "./cases/compression.ts";
import { deadlineCases } from "./cases/deadlines.ts";
import { duplexCases } from "./cases/duplex.ts";
import { errorCases } from "./cases/errors.ts";
import { hostileAuthCases } from "./cases/hostile-auth.ts";
import { hostileDispatchCases } from "./cases/hostile-dispatch.ts";
import { hostileLinkCases } from "./cases/hostile-link.ts";
import { hostileResumeCases } from "./cases/hostile-resume.ts";
import { hostileSessionCases } from "./cases/hostile-session.ts";
import { hostileStreamCases } from "./cases/hostile-streams.ts";
import { hostileTopicCases } from "./cases/hostile-topics.ts";
import { hostileValueCases } from "./cases/hostile-values.ts";
import { interceptorCases } from "./cases/interceptors.ts";
import { jobCases } from "./cases/jobs.ts";
import { jobEndCases } from "./cases/jobs-end.ts";
import { lifecycleCases } from "./cases/lifecycle.ts";
import { metadataCases } from "./cases/metadata.ts";
import { notificationCases } from "./cases/notifications.ts";
import { patternKindCases } from "./cases/pattern-kinds.ts";
import { reconnectCases } from "./cases/reconnect.ts";
import { resumeCases } from "./cases/resume.ts";
import { serverStreamCases } from "./cases/server-streams.ts";
import { topicCases } from "./cases/topics.ts";
import { policyCases } from "./cases/topics-policies.ts";
import { resubscribeCases } from "./cases/topics-resubscribe.ts";
import { unaryCases } from "./cases/unary.ts";
import { valueCases } from "./cases/values.ts";
import type { TransportCase } from "./transport-bench.ts";

/** Every case of the transport level, in the order of the report. */
export const allTransportCases: readonly TransportCase[] = [
  ...capabilityCases,
  ...unaryCases,
  ...valueCases,
  ...errorCases,
  ...metadataCases,
  ...authenticationCases,
  ...repeatCases,
  ...interceptorCases,
  ...notificationCases,
  ...duplexCases,
  ...deadlineCases,
  ...cancelCases,
  ...callHandleCases,
  ...serverStreamCases,
  ...clientStreamCases,
  ...lifecycleCases,
  ...reconnectCases,
  ...resumeCases,
  ...topicCases,
  ...policyCases,
  ...resubscribeCases,
  ...jobCases,
  ...jobEndCases,
  ...broadcastCases,
  ...hostileDispatchCases,
  ...patternKindCases,
  ...hostileValueCases,
  ...hostileAuthCases,
  ...compressionCases,
  ...hostileSessionCases,
  ...hostileResumeCases,
  ...hostileStreamCases,
  ...hostileTopicCases,
  ...hostileLinkCases,
];
