-- Opens the spec in MLSPEC_FILE with the server in MLC_BIN, reads the diagnostics, takes the first fix that is
-- offered where the first stands, and waits until nothing is wrong. Prints what it saw, a fact a line.
--
--   nvim --clean --headless -c 'set runtimepath^=editors/nvim' -c 'luafile editors/nvim/test/fix.lua'

local function say(what, text)
  io.stdout:write(what .. ': ' .. tostring(text) .. '\n')
end

local function wait_for(what, condition)
  assert(vim.wait(20000, condition, 20), 'waited in vain for ' .. what)
end

local function run()
  require('mlspec').setup({ cmd = { vim.env.MLC_BIN, 'lsp' } })
  vim.cmd('edit ' .. vim.fn.fnameescape(vim.env.MLSPEC_FILE))
  say('filetype', vim.bo.filetype)

  wait_for('diagnostics', function()
    return #vim.diagnostic.get(0) > 0
  end)
  local first = vim.diagnostic.get(0)[1]
  say('line', first.lnum + 1)
  say('column', first.col + 1)
  say('message', first.message)
  say('code', first.code or (first.user_data and first.user_data.lsp.code))

  -- What a user does: stands on the mistake, asks for actions, takes the one that mends it.
  vim.api.nvim_win_set_cursor(0, { first.lnum + 1, first.col })
  vim.ui.select = function(items, how, choose)
    say('fix', how.format_item(items[1]))
    choose(items[1], 1)
  end
  local before = vim.api.nvim_buf_get_changedtick(0)
  vim.lsp.buf.code_action()
  wait_for('the fix', function()
    return vim.api.nvim_buf_get_changedtick(0) > before
  end)
  say('mended', vim.api.nvim_buf_get_lines(0, first.lnum, first.lnum + 1, true)[1])
  wait_for('no diagnostics', function()
    return #vim.diagnostic.get(0) == 0
  end)
  say('left', #vim.diagnostic.get(0))
end

local done, why = pcall(run)
if not done then
  io.stderr:write(tostring(why) .. '\n')
end
vim.cmd(done and 'qall!' or 'cquit 1')
