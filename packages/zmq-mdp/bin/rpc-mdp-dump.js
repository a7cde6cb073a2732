#!/usr/bin/env node
// Stands outside dist so that the command can be linked before the first build.
import "../dist/rpc-mdp-dump.js";
