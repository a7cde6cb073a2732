export { type ArtefactHead, Artefacts, type ArtefactsOptions } from "./artefacts.ts";
export { artefactHeaders, checkArtefactName } from "./names.ts";
