export { addArtefact, countArtefacts, findArtefact, listArtefacts } from "./artefacts.ts";
export { type BotRow, createBot, findBot, greetBot, listBots, pauseBot, removeBot, seeBot } from "./bots.ts";
export { type Claim, type ClaimOptions, claimRequests } from "./claims.ts";
export {
  addCommits,
  type CommitFilter,
  listCommits,
  listRepositories,
  type NewCommit,
  type RepositoryRow,
  setPolled,
} from "./commits.ts";
export type { Handle, Kind } from "./dialect.ts";
export { factOf, serverId } from "./facts.ts";
export { findBuilder, listBuilders, type Trend, trends } from "./house.ts";
export { type Db, openStore, type Store, type StoreOptions, type Tx } from "./open-store.ts";
export {
  type BuildFilter,
  getBuild,
  getBuildByNumber,
  getBuildSummary,
  listBuilds,
  listRunning,
  listSteps,
} from "./reading-builds.ts";
export {
  cancelRequest,
  countPending,
  getRequest,
  insertRequest,
  listRequests,
  type NewRequest,
  type RequestFilter,
} from "./requests.ts";
export { deleteBuilds, listOutdated } from "./retention.ts";
export {
  beginBuild,
  beginStep,
  type Changed,
  endStep,
  finishBuild,
  getOrder,
  loseBuilds,
  requestCancel,
  setLogSize,
  setProperties,
  whyLost,
  type Writer,
} from "./running-builds.ts";
export { addTests, countTests, listTests, type TestFilter, testHistory } from "./tests.ts";
export { createUser, findUser, findUserByToken, listUsers, removeUser, type User } from "./users.ts";
