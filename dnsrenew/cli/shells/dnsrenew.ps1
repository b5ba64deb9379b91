# dnsrenew completion for PowerShell
Register-ArgumentCompleter -Native -CommandName dnsrenew -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $program = $commandAst.CommandElements[0].ToString()
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })
    $words += if ($wordToComplete -eq '') { '""' } else { $wordToComplete }  # an empty argument would be dropped
    & $program __complete @words 2>$null | ForEach-Object {
        $word, $text = $_ -split "`t", 2
        if ($word -eq ':files') {
            [System.Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete)  # quotes names
        } else {
            if (-not $text) { $text = $word }
            [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $text)
        }
    }
}
